//! Stores the messages of `rmcp`'s streams, and finds them again.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use ::rmcp::transport::streamable_http_server::session::{
    EventId as Id, EventStore, EventStoreError, EventStream as Messages, ServerSseMessage,
};
use tokio::sync::Mutex;

use super::{McpLog, STREAMS, event_id::EventId, message, replay::Replay};
use crate::{
    resume::{AppendError, Batch, Cursor, Event, EventLog, EventStream, Tail},
    sync::lock,
};

/// How often a stream is opened again because another server has written to it meanwhile.
const TRIES: usize = 8;

/// A stream to which this process stores. One message is stored at a time.
pub(super) struct Slot<St>(Mutex<Option<Opened<St>>>);

struct Opened<St> {
    stream: St,
    incarnation: String,
    is_new: bool,
    used_at: Instant,
}

impl<St: EventStream> Slot<St> {
    /// Whether nothing was stored for the time `retain`. The stream is released if so.
    pub(super) fn is_idle(&self, retain: Duration) -> bool {
        let Ok(mut opened) = self.0.try_lock() else { return false };
        if opened.as_ref().is_some_and(|opened| opened.used_at.elapsed() <= retain) {
            return false;
        }
        if let Some(opened) = opened.take() {
            opened.stream.release();
        }
        true
    }
}

impl<L: EventLog> McpLog<L> {
    async fn append(
        &self,
        stream: &str,
        opened: &mut Option<Opened<L::Stream>>,
        event: Event,
    ) -> Result<Id, EventStoreError> {
        for _ in 0..TRIES {
            // Not put back if the append fails or is given up: what the log holds then is not known here.
            let mut current = match opened.take() {
                Some(current) => current,
                None => self.open(stream).await?,
            };
            let note = current.is_new.then(|| current.incarnation.clone().into());
            let batch = Batch { note, ..Batch::from(event.clone()) };
            match current.stream.append(batch).await {
                Ok(seqs) => {
                    let id = EventId { stream, incarnation: &current.incarnation, seq: *seqs.end() };
                    let id = id.to_string();
                    (current.is_new, current.used_at) = (false, Instant::now());
                    *opened = Some(current);
                    return Ok(id);
                }
                // Another server has this session as well, or the stream was idle and is forgotten.
                Err(AppendError::Fenced) => {}
                Err(AppendError::Closed) => self.log.forget(&key(stream)).await?,
                Err(error @ AppendError::Unavailable(_)) => return Err(error.into()),
            }
        }
        Err(AppendError::Fenced.into())
    }

    async fn open(&self, id: &str) -> Result<Opened<L::Stream>, EventStoreError> {
        let stream = self.log.open(&key(id)).await?;
        let last = stream.bounds().last;
        let held =
            if last == 0 { None } else { stream.tail(Cursor::After(last)).await?.attached().note.clone() };
        let is_new = held.is_none();
        let incarnation =
            held.map_or_else(new_incarnation, |note| String::from_utf8_lossy(&note).into_owned());
        Ok(Opened { stream, incarnation, is_new, used_at: Instant::now() })
    }
}

#[async_trait::async_trait]
impl<L: EventLog> EventStore for McpLog<L> {
    async fn store_event(&self, stream_id: &str, event: &ServerSseMessage) -> Result<Id, EventStoreError> {
        self.sweep();
        let stored = message::to_event(event)?;
        let slot = Arc::clone(
            lock(&self.streams)
                .entry(stream_id.to_owned())
                .or_insert_with(|| Arc::new(Slot(Mutex::new(None)))),
        );
        let mut opened = slot.0.lock().await;
        let id = self.append(stream_id, &mut opened, stored).await?;
        if message::ends_call(stream_id, event) {
            if let Some(opened) = opened.take() {
                opened.stream.close();
            }
            lock(&self.streams).remove(stream_id);
        }
        Ok(id)
    }

    async fn replay_events_after(&self, last_event_id: &str) -> Result<Messages, EventStoreError> {
        let EventId { stream, incarnation, seq } = EventId::parse(last_event_id).ok_or(UnknownEvent)?;
        let found = self.log.follow(&key(stream)).await?.ok_or(UnknownEvent)?;
        let tail = found.tail(Cursor::After(seq)).await?;
        if tail.attached().note.as_deref() != Some(incarnation.as_bytes()) {
            return Err(UnknownEvent.into());
        }
        Ok(Box::pin(Replay::new(stream, incarnation, tail)))
    }
}

fn key(stream: &str) -> String {
    format!("{STREAMS}{stream}")
}

/// The time, because a stream is made again only after it was idle.
fn new_incarnation() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:x}", since.as_millis())
}

#[derive(Debug)]
struct UnknownEvent;

impl fmt::Display for UnknownEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no event with this id, or its stream is forgotten")
    }
}

impl std::error::Error for UnknownEvent {}
