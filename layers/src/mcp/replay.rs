//! The messages of a stream after one of them, and those that follow.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use ::rmcp::transport::streamable_http_server::session::ServerSseMessage;
use futures_core::Stream;

use super::{event_id::EventId, message};
use crate::resume::{Chunk, EventParser, Tail, events};

/// Reads a tail until its stream is closed.
pub(super) struct Replay<T> {
    stream: String,
    incarnation: String,
    /// `rmcp` needs a stream that is `Sync`, which a tail need not be. It is never locked.
    tail: Mutex<T>,
    parser: EventParser,
    read: VecDeque<ServerSseMessage>,
    ended: bool,
}

impl<T: Tail> Replay<T> {
    pub(super) fn new(stream: &str, incarnation: &str, tail: T) -> Self {
        Self {
            stream: stream.to_owned(),
            incarnation: incarnation.to_owned(),
            tail: Mutex::new(tail),
            parser: EventParser::new(usize::MAX),
            read: VecDeque::new(),
            ended: false,
        }
    }

    fn take(&mut self, chunk: &Chunk) -> Result<(), serde_json::Error> {
        let Self { stream, incarnation, parser, read, .. } = self;
        for (seq, event) in events(parser, &chunk.bytes) {
            let id = EventId { stream, incarnation, seq }.to_string();
            read.push_back(message::from_event(&event, id)?);
        }
        Ok(())
    }
}

impl<T: Tail> Stream for Replay<T> {
    type Item = ServerSseMessage;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ServerSseMessage>> {
        let this = &mut *self;
        loop {
            if let Some(message) = this.read.pop_front() {
                return Poll::Ready(Some(message));
            }
            if this.ended {
                return Poll::Ready(None);
            }
            let tail = this.tail.get_mut().unwrap_or_else(PoisonError::into_inner);
            // The client learns of neither failure, and comes back with the last id that it has.
            match ready!(tail.poll_chunk(cx)) {
                Some(Ok(chunk)) => {
                    if let Err(error) = this.take(&chunk) {
                        tracing::error!(%error, stream = this.stream, "a stored message cannot be read");
                        this.ended = true;
                    }
                }
                Some(Err(evicted)) => {
                    tracing::warn!(%evicted, stream = this.stream, "a resumed stream ends");
                    this.ended = true;
                }
                None => this.ended = true,
            }
        }
    }
}
