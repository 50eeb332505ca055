use std::future::poll_fn;

use ::tower_mcp::event_store::{EventRecord, EventStore, EventStoreError, Result};

use super::super::{
    BoxError, McpLog,
    streams::{TRIES, key},
};
use crate::resume::{Cursor, Event, EventLog, EventParser, EventStream, Tail, TailError, events};

#[async_trait::async_trait]
impl<L: EventLog> EventStore for McpLog<L> {
    async fn append(&self, session_id: &str, event: EventRecord) -> Result<()> {
        let stored =
            serde_json::to_vec(&event).map_err(|error| EventStoreError::Encode(error.to_string()))?;
        self.store_message(session_id, Event::new("", stored), false).await.map_err(failed)?;
        Ok(())
    }

    async fn replay_after(&self, session_id: &str, after_id: u64) -> Result<Vec<EventRecord>> {
        for _ in 1..TRIES {
            match self.records(session_id).await {
                // Events have left the window of the log since the reader was attached.
                Err(TailError::Evicted(_)) => {}
                Err(error) => return Err(failed(error.into())),
                Ok(stored) => {
                    let records = stored.iter().map(|event| serde_json::from_slice(&event.data));
                    let mut records: Vec<EventRecord> = records
                        .collect::<std::result::Result<_, _>>()
                        .map_err(|error| EventStoreError::Decode(error.to_string()))?;
                    records.retain(|record| record.id > after_id);
                    return Ok(records);
                }
            }
        }
        Err(EventStoreError::Backend("events leave the log faster than they can be read".to_owned()))
    }

    async fn purge_session(&self, session_id: &str) -> Result<()> {
        self.log.forget(&key(session_id)).await.map_err(|error| failed(error.into()))
    }
}

impl<L: EventLog> McpLog<L> {
    /// The events of a session that the log holds.
    async fn records(&self, session: &str) -> std::result::Result<Vec<Event>, TailError> {
        let found =
            self.log.find(&key(session)).await.map_err(|error| TailError::Unavailable(error.into()))?;
        let Some(stream) = found else { return Ok(Vec::new()) };
        let mut tail = match stream.tail(Cursor::Oldest).await {
            Err(TailError::Forgotten) => return Ok(Vec::new()),
            tail => tail?,
        };
        let last = tail.attached().bounds.last;
        let (mut read, mut parser, mut held) =
            (tail.attached().after, EventParser::new(usize::MAX), Vec::new());
        while read < last {
            let Some(chunk) = poll_fn(|cx| tail.poll_chunk(cx)).await else { break };
            let chunk = chunk.map_err(TailError::Evicted)?;
            read = chunk.last_seq;
            held.extend(events(&mut parser, &chunk.bytes).into_iter().map(|(_, event)| event));
        }
        Ok(held)
    }
}

fn failed(error: BoxError) -> EventStoreError {
    EventStoreError::Backend(error.to_string())
}
