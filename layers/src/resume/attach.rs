//! The stream that a request asks for, and the answer to it.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Response, request::Parts};

use super::{
    Attached, EventStream, Follow, Tail, last_event_id,
    respond::{head_response, invalid, not_read, stream_response},
};
use crate::reply::Renderer;

/// The stream that a request asks for, and the state frame that its reader receives after the replay.
///
/// ```
/// use agent_webkit_layers::resume::{Attached, Attachment, RingStream, encode_frame};
///
/// fn attachment(room: RingStream) -> Attachment<RingStream> {
///     Attachment::new(room).state(|attached: &Attached| {
///         let note = attached.note.as_ref()?;
///         Some(encode_frame(None, "state", note))
///     })
/// }
/// # let _ = attachment;
/// ```
pub struct Attachment<St> {
    stream: St,
    state: Option<StateFn>,
}

type StateFn = Arc<dyn Fn(&Attached) -> Option<Bytes> + Send + Sync>;

impl<St> Attachment<St> {
    /// An attachment to this stream, without a state frame.
    pub fn new(stream: St) -> Self {
        Self { stream, state: None }
    }

    /// Sends a state frame between the replay and the live events. `state` makes it from the stream's bounds and
    /// note when the reader was attached. It must be an encoded SSE frame without an id (see
    /// [`encode_frame`](super::encode_frame)).
    #[must_use]
    pub fn state(mut self, state: impl Fn(&Attached) -> Option<Bytes> + Send + Sync + 'static) -> Self {
        self.state = Some(Arc::new(state));
        self
    }
}

impl<St: EventStream> Attachment<St> {
    /// The answer to a GET or HEAD request, as [`ResumeLayer::attach`](super::ResumeLayer::attach) gives it: the stream
    /// after the event that the request names, or 400, 412 or 503. For a service that finds its streams itself.
    pub fn answer<B>(
        self,
        request: &Parts,
        keepalive: Option<Duration>,
    ) -> impl Future<Output = Response<B>> + Send + use<St, B>
    where
        B: From<Bytes> + From<Follow<St::Tail>>,
    {
        self.answer_by(&Renderer::JSON, request, keepalive)
    }

    pub(super) fn answer_by<B>(
        self,
        renderer: &Renderer,
        request: &Parts,
        keepalive: Option<Duration>,
    ) -> impl Future<Output = Response<B>> + Send + use<St, B>
    where
        B: From<Bytes> + From<Follow<St::Tail>>,
    {
        let refuse = renderer.of(request);
        let head = request.method == Method::HEAD;
        let cursor = last_event_id(request);
        async move {
            let cursor = match cursor {
                Ok(cursor) => cursor,
                Err(error) => return refuse.answer(invalid(error)),
            };
            let bounds = self.stream.bounds();
            // Why a cursor is refused, the stream knows better than its bounds.
            if head && bounds.admit(cursor).is_ok() {
                return head_response(&bounds, cursor).unwrap_or_else(|refusal| refuse.answer(refusal));
            }
            match self.stream.tail(cursor).await {
                Ok(tail) => {
                    let state = self.state.and_then(|state| state(tail.attached()));
                    stream_response(tail, keepalive, state).map(Into::into)
                }
                Err(error) => refuse.answer(not_read(&error)),
            }
        }
    }
}

impl<St> fmt::Debug for Attachment<St> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attachment").field("state", &self.state.is_some()).finish_non_exhaustive()
    }
}
