//! Where in a recorded stream a request starts.

use std::future::poll_fn;

use http::request::Parts;

use crate::resume::{
    Cursor, EventParser, EventStream, Framing, InvalidLastEventId, Tail, TailError,
    cursor::{last_event_id, opaque_last_event_id},
    framing::events,
};

/// How often a stream is read again because the reader fell behind.
const TRIES: usize = 3;

/// Where a request starts.
#[derive(Clone, Debug)]
pub(super) enum Position {
    At(Cursor),
    /// After the event with this id, which is not a sequence number.
    AfterId(String),
}

/// The stream holds no event with the request's id.
pub(super) struct UnknownId;

impl Position {
    pub(super) fn of(request: &Parts, framing: &impl Framing) -> Result<Self, InvalidLastEventId> {
        if !framing.has_own_ids() {
            return last_event_id(request).map(Self::At);
        }
        Ok(opaque_last_event_id(request).map_or(Self::At(Cursor::Oldest), Self::AfterId))
    }

    /// The cursor in this stream.
    pub(super) async fn cursor_in(
        &self,
        stream: &impl EventStream,
        framing: &impl Framing,
    ) -> Result<Result<Cursor, UnknownId>, TailError> {
        let id = match self {
            Self::At(cursor) => return Ok(Ok(*cursor)),
            Self::AfterId(id) => id,
        };
        let mut found = find(stream, framing, id).await;
        for _ in 1..TRIES {
            if !matches!(found, Err(TailError::Evicted(_))) {
                break;
            }
            found = find(stream, framing, id).await;
        }
        Ok(found?.map(Cursor::After).ok_or(UnknownId))
    }
}

/// The sequence number of the newest event with this id.
async fn find(stream: &impl EventStream, framing: &impl Framing, id: &str) -> Result<Option<u64>, TailError> {
    let mut tail = stream.tail(Cursor::Oldest).await?;
    let last = tail.attached().bounds.last;
    let mut read = tail.attached().after;
    let mut parser = EventParser::new(usize::MAX);
    let mut found = None;
    while read < last {
        let Some(chunk) = poll_fn(|cx| tail.poll_chunk(cx)).await else { break };
        let chunk = chunk.map_err(TailError::Evicted)?;
        read = chunk.last_seq;
        for (seq, event) in events(&mut parser, &chunk.bytes) {
            // Blank space around a header is no part of it.
            if framing.id(seq, &event).is_some_and(|own| own.trim() == id.trim()) {
                found = Some(seq);
            }
        }
    }
    Ok(found)
}
