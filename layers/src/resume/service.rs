//! The service, which answers requests for event streams from an event log.

use std::{
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response, request::Parts};
use http_body::Body;
use tower_service::Service;

use super::{
    Attach, Attachment, EventLog, EventStream, Record, ResponseBody, ResponseFuture, last_event_id,
    respond::{asks_for_stream, head_response, invalid_response},
};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Answers requests for event streams from an event log: see [`ResumeLayer`](super::ResumeLayer).
#[derive(Clone, Debug)]
pub struct Resume<S, M> {
    inner: S,
    mode: M,
    keepalive: Option<Duration>,
}

impl<S, M> Resume<S, M> {
    pub(super) const fn new(inner: S, mode: M, keepalive: Option<Duration>) -> Self {
        Self { inner, mode, keepalive }
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

impl<S, F, St, ReqBody, ResBody> Service<Request<ReqBody>> for Resume<S, Attach<F>>
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
        let Some(attachment) = self.mode.find(&parts) else {
            return ResponseFuture::inner(self.inner.call(Request::from_parts(parts, body)));
        };
        let answer = attachment.answer(&parts, self.keepalive);
        ResponseFuture::waiting(async { Ok(answer.await) })
    }
}

impl<S, L, K, ReqBody, ResBody> Service<Request<ReqBody>> for Resume<S, Record<L, K>>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>, Error: 'static, Future: Send>,
    S: Clone + Send + 'static,
    L: EventLog,
    K: Fn(&Parts) -> Option<String>,
    ReqBody: Send + 'static,
    ResBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<ResponseBody<ResBody, <L::Stream as EventStream>::Tail>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ResBody, <L::Stream as EventStream>::Tail, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        if !asks_for_stream(request.method()) {
            return ResponseFuture::inner(self.inner.call(request));
        }
        let (parts, body) = request.into_parts();
        let Some(key) = self.mode.key(&parts) else {
            return ResponseFuture::inner(self.inner.call(Request::from_parts(parts, body)));
        };
        let cursor = match last_event_id(&parts) {
            Ok(cursor) => cursor,
            Err(invalid) => return ResponseFuture::ready(invalid_response(invalid)),
        };
        if parts.method == Method::HEAD {
            return match self.mode.recorded(&key) {
                Some(stream) => ResponseFuture::ready(head_response(&stream.bounds(), cursor)),
                None => ResponseFuture::inner(self.inner.call(Request::from_parts(parts, body))),
            };
        }
        let not_ready = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, not_ready);
        let request = Request::from_parts(parts, body);
        ResponseFuture::waiting(self.mode.reader(key, cursor, self.keepalive).respond(inner, request))
    }
}
