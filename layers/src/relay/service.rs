use std::{
    fmt,
    task::{Context, Poll},
};

use http::{Method, Request, Response, Uri, request::Parts};
use tower_service::Service;

use super::{RelayedBody, ResponseFuture, forward::Forward};
use crate::ready::take_ready;

/// Forwards requests that belong to another host. See the [module](super).
#[derive(Clone)]
pub struct Relay<S, C, F> {
    pub(super) inner: S,
    pub(super) forward: Forward<C, F>,
}

impl<S, C, F, B, SB, CB> Service<Request<B>> for Relay<S, C, F>
where
    S: Service<Request<B>, Response = Response<SB>>,
    C: Service<Request<B>, Response = Response<CB>> + Clone,
    F: Fn(&Parts) -> Option<Uri>,
{
    type Response = Response<RelayedBody<SB, CB>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, C, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let Some(target) = (self.forward.place)(&parts) else {
            return ResponseFuture::here(self.inner.call(Request::from_parts(parts, body)));
        };
        let head = parts.method == Method::HEAD;
        match self.forward.head(parts, &target) {
            Ok(parts) => {
                let client = take_ready(&mut self.forward.client);
                ResponseFuture::there(client, Request::from_parts(parts, body), head)
            }
            Err(refusal) => ResponseFuture::refused(refusal, head),
        }
    }
}

impl<S: fmt::Debug, C, F> fmt::Debug for Relay<S, C, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").field("inner", &self.inner).field("forward", &self.forward).finish()
    }
}
