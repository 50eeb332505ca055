//! A response body that reads from a tail.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::{Evicted, Tail, encode_frame, frame::error_data, keepalive::Keepalive};

pub(super) const COMMENT: Bytes = Bytes::from_static(b": keepalive\n\n");

/// A body that replays the events of a [`Tail`], sends the state frame, then follows the stream live.
///
/// - The state frame, if there is one, is sent after the newest event of [`Tail::attached`] and before any later
///   event; if there is nothing to replay, it is the first frame.
/// - After each period `keepalive` of silence the body sends the comment `: keepalive`.
/// - If the tail is evicted, the body ends with an `error` event `{"code":"evicted","message":"…"}`. It has no id,
///   so that a client reconnects with the id of the last event that it has seen.
/// - The body ends after the last event of a closed stream.
///
/// Must be polled inside a tokio runtime with time enabled, unless it has no keepalive.
///
/// ```
/// use agent_webkit_layers::resume::{Cursor, Event, EventStream, Follow, RingConfig, RingStream};
/// use http_body_util::BodyExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let news = RingStream::new(RingConfig::default());
/// news.append(Event::new("line", "one").into()).await?;
/// news.close();
///
/// let body = Follow::new(news.tail(Cursor::Oldest).await?, None);
/// assert_eq!(body.collect().await?.to_bytes(), "id: 1\nevent: line\ndata: one\n\n");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Follow<T> {
    tail: Option<T>,
    /// The state frame, until the replay is over.
    state: Option<Bytes>,
    given: u64,
    replay_end: u64,
    keepalive: Option<Keepalive>,
    comment: Bytes,
}

impl<T: Tail> Follow<T> {
    /// Follows `tail`, with a comment after each period `keepalive` of silence (`None` or zero: never).
    #[must_use]
    pub fn new(tail: T, keepalive: Option<Duration>) -> Self {
        let attached = tail.attached();
        let (given, replay_end) = (attached.after, attached.bounds.last);
        let keepalive = Keepalive::new(keepalive);
        Self { tail: Some(tail), state: None, given, replay_end, keepalive, comment: COMMENT }
    }

    /// Sends `frame` between the replay and the live events: an encoded SSE frame without an id (see
    /// [`encode_frame`]).
    #[must_use]
    pub fn with_state(mut self, frame: Option<Bytes>) -> Self {
        self.state = frame;
        self
    }

    /// Sends these bytes in silence, or nothing.
    pub(super) fn with_keepalive(mut self, bytes: Option<Bytes>) -> Self {
        match bytes {
            Some(bytes) => self.comment = bytes,
            None => self.keepalive = None,
        }
        self
    }

    fn poll_tail(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let Some(tail) = &mut self.tail else { return Poll::Ready(None) };
        if self.given >= self.replay_end
            && let Some(state) = self.state.take()
        {
            return Poll::Ready(Some(state));
        }
        tail.poll_chunk(cx).map(|read| match read {
            Some(Ok(chunk)) => {
                self.given = chunk.last_seq;
                Some(chunk.bytes)
            }
            Some(Err(evicted)) => {
                self.tail = None;
                Some(eviction_frame(evicted))
            }
            None => {
                self.tail = None;
                None
            }
        })
    }

    fn poll_keepalive(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        match &mut self.keepalive {
            Some(keepalive) => keepalive.poll_silence(cx).map(|()| Some(self.comment.clone())),
            None => Poll::Pending,
        }
    }
}

impl<T: Tail> Body for Follow<T> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let polled = match self.poll_tail(cx) {
            Poll::Ready(bytes) => {
                self.keepalive.iter_mut().for_each(Keepalive::activity);
                Poll::Ready(bytes)
            }
            Poll::Pending => self.poll_keepalive(cx),
        };
        polled.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.tail.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        if self.tail.is_none() { SizeHint::with_exact(0) } else { SizeHint::default() }
    }
}

fn eviction_frame(evicted: Evicted) -> Bytes {
    let message = format!("This reader fell too far behind: {evicted}.");
    encode_frame(None, "error", &error_data("evicted", &message))
}
