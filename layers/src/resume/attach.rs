//! Serves streams of an event log that the host writes itself.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Response, request::Parts};

use super::{
    Attached, Cursor, EventStream, ResponseBody, Tail,
    respond::{refusal_response, stream_response},
};

/// How [`ResumeLayer::attach`](super::ResumeLayer::attach) finds streams.
pub struct Attach<F> {
    find: Arc<F>,
}

impl<F> Attach<F> {
    pub(super) fn new(find: F) -> Self {
        Self { find: Arc::new(find) }
    }

    pub(super) fn find<St>(&self, request: &Parts) -> Option<Attachment<St>>
    where
        F: Fn(&Parts) -> Option<Attachment<St>>,
    {
        (self.find)(request)
    }
}

impl<F> Clone for Attach<F> {
    fn clone(&self) -> Self {
        Self { find: Arc::clone(&self.find) }
    }
}

impl<F> fmt::Debug for Attach<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attach").finish_non_exhaustive()
    }
}

/// The stream that a request asks for, and the state frame that its reader receives after the replay.
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

    pub(super) fn stream(&self) -> &St {
        &self.stream
    }
}

impl<St: EventStream> Attachment<St> {
    pub(super) async fn respond<B>(
        self,
        cursor: Cursor,
        keepalive: Option<Duration>,
    ) -> Response<ResponseBody<B, St::Tail>> {
        match self.stream.tail(cursor).await {
            Ok(tail) => {
                let state = self.state.and_then(|state| state(tail.attached()));
                stream_response(tail, keepalive, state).map(Into::into)
            }
            Err(error) => refusal_response(&error),
        }
    }
}

impl<St> fmt::Debug for Attachment<St> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attachment").field("state", &self.state.is_some()).finish_non_exhaustive()
    }
}
