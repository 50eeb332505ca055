use std::{
    fmt,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, header::AUTHORIZATION};
use http_body::Body;
use tower_service::Service;

use super::{ResponseBody, ResponseFuture, Verify, answers::Answers, sources::Sources};
use crate::{gate::Gate, ready::take_ready};

/// Passes a request to the inner service if its [`Verify`] accepts it, and answers the request otherwise.
///
/// See the [module](super) for the answers. The inner service's errors pass through.
#[derive(Clone)]
pub struct Auth<S, V> {
    pub(super) inner: S,
    pub(super) verifier: V,
    pub(super) sources: Sources,
    pub(super) answers: Answers,
}

impl<S, V> Auth<S, V> {
    /// A service that checks requests with `verifier` before it calls `inner`. [`AuthLayer`](super::AuthLayer) has
    /// settings as well.
    pub const fn new(inner: S, verifier: V) -> Self {
        Self { inner, verifier, sources: Sources::NONE, answers: Answers::DEFAULT }
    }

    /// The inner service.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The inner service.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, V, B, RB> Service<Request<B>> for Auth<S, V>
where
    S: Service<Request<B>, Response = Response<RB>> + Clone,
    V: Verify,
    RB: Body<Data = Bytes>,
{
    type Response = Response<ResponseBody<RB>>;
    type Error = S::Error;
    type Future = ResponseFuture<V, S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        mark_sensitive(&mut parts.headers);
        let decision = self.sources.lend(&mut parts, |parts| self.verifier.verify(parts));
        let request = Request::from_parts(parts, body);
        let gate = Gate::closed(decision, take_ready(&mut self.inner), request);
        ResponseFuture { gate, answers: self.answers.clone() }
    }
}

fn mark_sensitive(headers: &mut HeaderMap) {
    for (name, value) in headers.iter_mut() {
        if name == AUTHORIZATION {
            value.set_sensitive(true);
        }
    }
}

impl<S, V> fmt::Debug for Auth<S, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth").finish_non_exhaustive()
    }
}
