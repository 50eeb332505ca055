//! The response future of the layer.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Response;
use pin_project_lite::pin_project;

use super::ResponseBody;

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

pin_project! {
    /// The response future of [`Resume`](super::Resume).
    pub struct ResponseFuture<F, B, T, E> {
        #[pin]
        kind: Kind<F, B, T, E>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<F, B, T, E> {
        Inner { #[pin] future: F },
        Ready { response: Option<Response<ResponseBody<B, T>>> },
        Waiting { future: BoxFuture<Result<Response<ResponseBody<B, T>>, E>> },
    }
}

impl<F, B, T, E> ResponseFuture<F, B, T, E> {
    /// A future that resolves to the inner service's response.
    pub(super) fn inner(future: F) -> Self {
        Self { kind: Kind::Inner { future } }
    }

    pub(super) fn ready(response: Response<ResponseBody<B, T>>) -> Self {
        Self { kind: Kind::Ready { response: Some(response) } }
    }

    pub(super) fn waiting(
        future: impl Future<Output = Result<Response<ResponseBody<B, T>>, E>> + Send + 'static,
    ) -> Self {
        Self { kind: Kind::Waiting { future: Box::pin(future) } }
    }
}

impl<F, B, T, E> Future for ResponseFuture<F, B, T, E>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<ResponseBody<B, T>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProj::Inner { future } => {
                let response = ready!(future.poll(cx))?;
                Poll::Ready(Ok(response.map(ResponseBody::inner)))
            }
            KindProj::Ready { response } => {
                Poll::Ready(Ok(response.take().expect("a response future is not polled after it was ready")))
            }
            KindProj::Waiting { future } => future.as_mut().poll(cx),
        }
    }
}

impl<F, B, T, E> fmt::Debug for ResponseFuture<F, B, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
