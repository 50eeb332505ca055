//! Stores the messages of `rmcp`'s streams, and finds them again.

use std::fmt;

use ::rmcp::transport::streamable_http_server::session::{
    EventId as Id, EventStore, EventStoreError, EventStream as Messages, ServerSseMessage,
};

use super::{McpLog, event_id::EventId, message, replay::Replay, streams::key};
use crate::resume::{Cursor, EventLog, EventStream, Tail};

#[async_trait::async_trait]
impl<L: EventLog> EventStore for McpLog<L> {
    async fn store_event(&self, stream_id: &str, event: &ServerSseMessage) -> Result<Id, EventStoreError> {
        let last = message::ends_call(stream_id, event);
        let place = self.store_message(stream_id, message::to_event(event)?, last).await?;
        let id = EventId { stream: stream_id, incarnation: &place.incarnation, seq: place.seq };
        Ok(id.to_string())
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

#[derive(Debug)]
struct UnknownEvent;

impl fmt::Display for UnknownEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no event with this id, or its stream is forgotten")
    }
}

impl std::error::Error for UnknownEvent {}
