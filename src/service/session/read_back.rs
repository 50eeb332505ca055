//! Reading a session's own events back from its log.

use std::{collections::HashMap, future::poll_fn};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::layers::resume::{Cursor, EventParser, EventStream, Tail, TailError};

/// An event is longer than the longest request body only by its name.
const LONGEST: usize = 128 << 20;

#[derive(Deserialize)]
struct UserMessage {
    content: Box<RawValue>,
    message_uuid: String,
}

/// The contents of all users' messages in the log, by their `message_uuid`.
pub(crate) async fn user_messages(
    stream: &impl EventStream,
) -> Result<HashMap<String, Box<RawValue>>, TailError> {
    let mut tail = stream.tail(Cursor::Oldest).await?;
    let last = tail.attached().bounds.last;
    let mut read = tail.attached().after;
    let mut parser = EventParser::new(LONGEST);
    let mut events = Vec::new();
    let mut messages = HashMap::new();
    while read < last {
        let chunk = match poll_fn(|cx| tail.poll_chunk(cx)).await {
            Some(Ok(chunk)) => chunk,
            Some(Err(evicted)) => return Err(TailError::Evicted(evicted)),
            None => break,
        };
        read = chunk.last_seq;
        if parser.push(&chunk.bytes, &mut events).is_err() {
            tracing::warn!("an event of the log is too long to be read back");
        }
        for event in events.drain(..) {
            if event.name == "user_message"
                && let Ok(UserMessage { content, message_uuid }) = serde_json::from_slice(&event.data)
            {
                messages.insert(message_uuid, content);
            }
        }
    }
    Ok(messages)
}
