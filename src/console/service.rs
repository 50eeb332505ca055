//! The console as a service of its own.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Empty;
use tower::Service;

use super::answer::answer;
use crate::layers::reply::{Refusal, ResponseBody};

/// Serves the page and its files. See the [module](super).
///
/// A request for anything else is answered with 404, so mount it where nothing else is, or use a
/// [`ConsoleLayer`](super::ConsoleLayer).
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Console;

impl Console {
    /// Creates the service.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl<B> Service<Request<B>> for Console {
    type Response = Response<ResponseBody<Empty<Bytes>>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let head = request.method() == Method::HEAD;
        ready(Ok(answer(&request).unwrap_or_else(|| {
            Refusal::new(StatusCode::NOT_FOUND, "only the console is served here").into_response(head)
        })))
    }
}
