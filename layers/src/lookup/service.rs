use std::{
    fmt,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body::Body;
use tower_service::Service;

use super::{Resolve, ResponseBody, ResponseFuture, answers::Answers};
use crate::{gate::Gate, ready::take_ready};

/// Passes the value of a request's id to the inner service, and answers the request itself if the id is unknown.
///
/// Made by [`LookupLayer`](super::LookupLayer). See the [module](super) for the answers. The inner service's errors pass through.
#[derive(Clone)]
pub struct Lookup<S, X, R> {
    pub(super) inner: S,
    pub(super) extract: X,
    pub(super) resolver: R,
    pub(super) answers: Answers,
}

impl<S, X, R> Lookup<S, X, R> {
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

impl<S, X, R, I, B, RB> Service<Request<B>> for Lookup<S, X, R>
where
    S: Service<Request<B>, Response = Response<RB>> + Clone,
    X: Fn(&Parts) -> Option<I>,
    I: AsRef<str>,
    R: Resolve,
    RB: Body<Data = Bytes>,
{
    type Response = Response<ResponseBody<RB>>;
    type Error = S::Error;
    type Future = ResponseFuture<R, S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let decision = (self.extract)(&parts).map(|id| self.resolver.resolve(id.as_ref(), &parts));
        let request = Request::from_parts(parts, body);
        let gate = match decision {
            Some(decision) => Gate::closed(decision, take_ready(&mut self.inner), request),
            None => Gate::open(self.inner.call(request)),
        };
        ResponseFuture { gate, answers: self.answers.clone() }
    }
}

impl<S, X, R> fmt::Debug for Lookup<S, X, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookup").finish_non_exhaustive()
    }
}
