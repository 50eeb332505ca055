use std::task::{Context, Poll};

use http::{Method, Request, Response};
use tower_service::Service;

use super::{ResponseBody, ResponseFuture, names::Names};

/// Answers 403 to requests for a host name that is not allowed. See the [module](super).
#[derive(Clone, Debug)]
pub struct AllowHost<S> {
    inner: S,
    names: Names,
}

impl<S> AllowHost<S> {
    pub(super) const fn new(inner: S, names: Names) -> Self {
        Self { inner, names }
    }
}

impl<S, B, R> Service<Request<B>> for AllowHost<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if self.names.allows(&request) {
            return ResponseFuture::inner(self.inner.call(request));
        }
        ResponseFuture::refused(request.method() == Method::HEAD)
    }
}
