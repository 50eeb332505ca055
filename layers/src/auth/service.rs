use std::{
    fmt,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, header::AUTHORIZATION};
use http_body::Body;
use tower_service::Service;

use super::{ResponseBody, ResponseFuture, Verify};
use crate::{gate::Gate, ready::take_ready};

/// Passes a request to the inner service if its [`Verify`] accepts it, and answers the request otherwise.
///
/// See the [module](super) for the answers. The inner service's errors pass through.
#[derive(Clone, Copy)]
pub struct Auth<S, V> {
    inner: S,
    verifier: V,
}

impl<S, V> Auth<S, V> {
    /// A service that checks requests with `verifier` before it calls `inner`.
    pub const fn new(inner: S, verifier: V) -> Self {
        Self { inner, verifier }
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

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        mark_sensitive(request.headers_mut());
        let (parts, body) = request.into_parts();
        let decision = self.verifier.verify(&parts);
        let request = Request::from_parts(parts, body);
        ResponseFuture { gate: Gate::closed(decision, take_ready(&mut self.inner), request) }
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
