//! How a message of `rmcp` is kept as an event.

use std::{sync::Arc, time::Duration};

use ::rmcp::{
    model::JsonRpcMessage::{Error, Response},
    transport::streamable_http_server::session::ServerSseMessage,
};

use crate::resume::Event;

/// The event has the message as its data, and the time to wait before a reconnection, in ms, as its name.
pub(super) fn to_event(message: &ServerSseMessage) -> Result<Event, serde_json::Error> {
    let name = message.retry.map(|retry| retry.as_millis().to_string()).unwrap_or_default();
    let data = match &message.message {
        Some(message) => serde_json::to_vec(&**message)?,
        None => Vec::new(),
    };
    Ok(Event::new(name, data))
}

pub(super) fn from_event(event: &Event, id: String) -> Result<ServerSseMessage, serde_json::Error> {
    let message = match &*event.data {
        b"" => None,
        data => Some(Arc::new(serde_json::from_slice(data)?)),
    };
    let mut read = ServerSseMessage::default();
    read.event_id = Some(id);
    read.message = message;
    read.retry = event.name.parse().ok().map(Duration::from_millis);
    Ok(read)
}

/// Whether this is the last message of the stream of a call.
pub(super) fn ends_call(stream: &str, message: &ServerSseMessage) -> bool {
    // The stream of a session has this name. A late response in it ends nothing.
    !stream.ends_with(":common") && matches!(message.message.as_deref(), Some(Response(_) | Error(_)))
}
