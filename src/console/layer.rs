//! The console in front of another service.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::answer::answer;
use crate::layers::reply::ResponseBody;

/// Serves the console, and passes every other request to the inner service. See the [module](super).
#[derive(Clone, Copy, Debug)]
pub struct ConsoleLayer {
    on: bool,
}

impl ConsoleLayer {
    /// Creates the layer.
    #[must_use]
    pub const fn new() -> Self {
        Self { on: true }
    }

    /// Sets whether the console is served. Default true; without it every request is passed on.
    #[must_use]
    pub const fn enabled(self, on: bool) -> Self {
        Self { on }
    }
}

impl Default for ConsoleLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for ConsoleLayer {
    type Service = WithConsole<S>;

    fn layer(&self, inner: S) -> WithConsole<S> {
        WithConsole { inner, on: self.on }
    }
}

/// Serves the console in front of the service `S`. Created by a [`ConsoleLayer`].
#[derive(Clone, Copy, Debug)]
pub struct WithConsole<S> {
    inner: S,
    on: bool,
}

impl<S, B, R> Service<Request<B>> for WithConsole<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Body<Data = Bytes>,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let own = if self.on { answer(&request) } else { None };
        let kind = match own {
            Some(response) => Kind::Own { response: Some(response) },
            None => Kind::Inner { future: self.inner.call(request) },
        };
        ResponseFuture { kind }
    }
}

pin_project! {
    /// The response future of [`WithConsole`], around the future `F` of the inner service with the body `R`.
    #[derive(Debug)]
    pub struct ResponseFuture<F, R> {
        #[pin]
        kind: Kind<F, R>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = KindProjection]
    enum Kind<F, R> {
        Own { response: Option<Response<ResponseBody<R>>> },
        Inner { #[pin] future: F },
    }
}

impl<F, R, E> Future for ResponseFuture<F, R>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<ResponseBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProjection::Own { response } => {
                Poll::Ready(Ok(response.take().expect("polled after it was ready")))
            }
            KindProjection::Inner { future } => {
                let response = ready!(future.poll(cx))?;
                Poll::Ready(Ok(response.map(ResponseBody::inner)))
            }
        }
    }
}
