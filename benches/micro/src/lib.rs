//! The hot paths, each as one function, to measure their time and to count their instructions.

mod pipe;
mod requests;

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use agent_webkit::{
    claude::events_of,
    layers::resume::{Batch, Cursor, Event, EventStream, RingConfig, RingStream, RingTail, Tail},
    proto::AgentEvent,
};

pub use self::{pipe::Pipe, requests::create_and_delete};

/// The CLI's lines for a message with this many deltas.
pub fn lines(deltas: usize) -> Vec<u8> {
    let start = r#"{"type":"stream_event","event":{"type":"message_start","message":{"id":"msg_1"}}}"#;
    let delta = concat!(
        r#"{"type":"stream_event","event":{"type":"content_block_delta","index":0,"#,
        r#""delta":{"type":"text_delta","text":"a few words of an answer"}},"#,
        r#""session_id":"5b181949-e7a5-4552-9814-74e14b23ec5d","parent_tool_use_id":null,"#,
        r#""uuid":"0c2f9d2e-6a56-4f0a-8f0a-3d0b6f6f2b11"}"#,
    );
    let lines: Vec<&str> = std::iter::once(start).chain(std::iter::repeat_n(delta, deltas)).collect();
    (lines.join("\n") + "\n").into_bytes()
}

/// Decodes lines into events.
pub fn codec(lines: &[u8]) -> Vec<AgentEvent> {
    events_of(lines)
}

/// A batch of this many deltas, each a frame of 300 bytes.
pub fn batch(events: usize) -> Batch {
    let data = format!(r#"{{"message_id":"msg_1","delta":{{"type":"text","text":"{}"}}}}"#, "x".repeat(200));
    Batch::new(vec![Event::new("message_delta", data); events])
}

/// An empty stream with the protocol's window.
pub fn stream() -> RingStream {
    RingStream::new(RingConfig::default())
}

pub fn append(stream: &RingStream, batch: Batch) {
    ready(stream.append(batch)).expect("it is open");
}

/// A reader that starts at the oldest event.
pub fn reader(stream: &RingStream) -> RingTail {
    ready(stream.tail(Cursor::Oldest)).expect("it holds what is asked for")
}

/// Reads until the reader would wait. Returns the number of bytes.
pub fn read(tail: &mut RingTail) -> usize {
    let mut context = Context::from_waker(Waker::noop());
    let mut bytes = 0;
    while let Poll::Ready(Some(Ok(chunk))) = tail.poll_chunk(&mut context) {
        bytes += chunk.bytes.len();
    }
    bytes
}

/// Returns the output of a future of an event log in memory, which is ready at once.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("a ring is always ready"),
    }
}
