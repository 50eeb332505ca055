//! The streams to which this process stores.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tokio::sync::Mutex;

use super::{BoxError, McpLog, STREAMS};
use crate::{
    resume::{AppendError, Batch, Cursor, Event, EventLog, EventStream, Tail},
    sync::lock,
};

/// How often a stream is opened again because another server has written to it meanwhile.
pub(super) const TRIES: usize = 8;

/// A stream to which this process stores. One message is stored at a time.
pub(super) struct Slot<St>(Mutex<Option<Opened<St>>>);

struct Opened<St> {
    stream: St,
    incarnation: Arc<str>,
    is_new: bool,
    used_at: Instant,
}

/// Where a message was stored.
pub(super) struct Place {
    /// Differs between two streams of the same id, of which the earlier one was forgotten. It is the stream's note.
    pub(super) incarnation: Arc<str>,
    pub(super) seq: u64,
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
    /// Stores a message in the stream with this id. The stream is closed after its `last` one.
    pub(super) async fn store_message(&self, id: &str, event: Event, last: bool) -> Result<Place, BoxError> {
        self.sweep();
        let slot = Arc::clone(
            lock(&self.streams).entry(id.to_owned()).or_insert_with(|| Arc::new(Slot(Mutex::new(None)))),
        );
        let mut opened = slot.0.lock().await;
        let place = self.append(id, &mut opened, event).await?;
        if last {
            if let Some(opened) = opened.take() {
                opened.stream.close();
            }
            lock(&self.streams).remove(id);
        }
        Ok(place)
    }

    async fn append(
        &self,
        id: &str,
        opened: &mut Option<Opened<L::Stream>>,
        event: Event,
    ) -> Result<Place, BoxError> {
        for _ in 0..TRIES {
            // Not put back if the append fails or is given up: what the log holds then is not known here.
            let mut current = match opened.take() {
                Some(current) => current,
                None => self.open(id).await?,
            };
            let note = current.is_new.then(|| current.incarnation.to_string().into());
            let batch = Batch { note, ..Batch::from(event.clone()) };
            match current.stream.append(batch).await {
                Ok(seqs) => {
                    (current.is_new, current.used_at) = (false, Instant::now());
                    let incarnation = Arc::clone(&current.incarnation);
                    *opened = Some(current);
                    return Ok(Place { incarnation, seq: *seqs.end() });
                }
                // Another server has this session as well, or the stream was idle and is forgotten.
                Err(AppendError::Fenced) => {}
                Err(AppendError::Closed) => self.log.forget(&key(id)).await?,
                Err(error @ AppendError::Unavailable(_)) => return Err(error.into()),
            }
        }
        Err(AppendError::Fenced.into())
    }

    async fn open(&self, id: &str) -> Result<Opened<L::Stream>, BoxError> {
        let stream = self.log.open(&key(id)).await?;
        let last = stream.bounds().last;
        let held =
            if last == 0 { None } else { stream.tail(Cursor::After(last)).await?.attached().note.clone() };
        let is_new = held.is_none();
        let incarnation =
            held.map_or_else(new_incarnation, |note| String::from_utf8_lossy(&note).into_owned());
        Ok(Opened { stream, incarnation: incarnation.into(), is_new, used_at: Instant::now() })
    }
}

/// The key in the log of the stream with this id.
pub(super) fn key(id: &str) -> String {
    format!("{STREAMS}{id}")
}

/// The time, because a stream is made again only after it was idle.
fn new_incarnation() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:x}", since.as_millis())
}
