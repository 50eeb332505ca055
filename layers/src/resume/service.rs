//! The service, which answers requests for event streams from an event log.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response, request::Parts};
use tower_service::Service;

use super::{Attachment, EventStream, ResponseBody, ResponseFuture, respond::asks_for_stream};
use crate::reply::Renderer;

/// Answers requests for event streams from an event log: see [`ResumeLayer`](super::ResumeLayer).
pub struct Resume<S, F> {
    inner: S,
    find: Arc<F>,
    keepalive: Option<Duration>,
    renderer: Renderer,
}

impl<S, F> Resume<S, F> {
    pub(super) const fn new(inner: S, find: Arc<F>, keepalive: Option<Duration>, renderer: Renderer) -> Self {
        Self { inner, find, keepalive, renderer }
    }

    /// The inner service.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service, mutably.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Unwraps the inner service.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, F, St, ReqBody, ResBody> Service<Request<ReqBody>> for Resume<S, F>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>, Error: 'static>,
    F: Fn(&Parts) -> Option<Attachment<St>>,
    St: EventStream,
    ResBody: 'static,
{
    type Response = Response<ResponseBody<ResBody, St::Tail>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ResBody, St::Tail, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        if !asks_for_stream(request.method()) {
            return ResponseFuture::inner(self.inner.call(request));
        }
        let (parts, body) = request.into_parts();
        let Some(attachment) = (self.find)(&parts) else {
            return ResponseFuture::inner(self.inner.call(Request::from_parts(parts, body)));
        };
        let answer = attachment.answer_by(&self.renderer, &parts, self.keepalive);
        ResponseFuture::waiting(async { Ok(answer.await) })
    }
}

impl<S: Clone, F> Clone for Resume<S, F> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            find: Arc::clone(&self.find),
            keepalive: self.keepalive,
            renderer: self.renderer.clone(),
        }
    }
}

impl<S: fmt::Debug, F> fmt::Debug for Resume<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resume").field("inner", &self.inner).finish_non_exhaustive()
    }
}
