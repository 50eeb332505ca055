use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response, StatusCode};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{RelayedBody, headers};
use crate::reply::Refusal;

pin_project! {
    /// The future of [`Relay`](super::Relay): the inner service's response, or the other host's.
    pub struct ResponseFuture<F, C, B>
    where
        C: Service<Request<B>>,
    {
        #[pin]
        kind: Kind<F, C, B, C::Future>,
        head: bool,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<F, C, B, CF> {
        Here { #[pin] future: F },
        Readying { held: Option<(C, Request<B>)> },
        There { #[pin] future: CF },
        Refused { refusal: Option<Refusal> },
    }
}

impl<F, C: Service<Request<B>>, B> ResponseFuture<F, C, B> {
    pub(super) fn here(future: F) -> Self {
        Self { kind: Kind::Here { future }, head: false }
    }

    pub(super) fn there(client: C, request: Request<B>, head: bool) -> Self {
        Self { kind: Kind::Readying { held: Some((client, request)) }, head }
    }

    pub(super) fn refused(refusal: Refusal, head: bool) -> Self {
        Self { kind: Kind::Refused { refusal: Some(refusal) }, head }
    }
}

impl<F, C, B, SB, CB, E> Future for ResponseFuture<F, C, B>
where
    F: Future<Output = Result<Response<SB>, E>>,
    C: Service<Request<B>, Response = Response<CB>>,
{
    type Output = Result<Response<RelayedBody<SB, CB>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let unreachable = || {
            let detail = "the host that answers this request cannot be reached; try again";
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, detail).with_retry_after(1)
        };
        loop {
            let refusal = match this.kind.as_mut().project() {
                KindProjection::Here { future } => {
                    return future.poll(cx).map_ok(|response| response.map(RelayedBody::here));
                }
                KindProjection::Readying { held } => {
                    let (client, _) = held.as_mut().expect("polled after it was ready");
                    let ready = ready!(client.poll_ready(cx));
                    let (mut client, request) = held.take().expect("it was there");
                    if ready.is_ok() {
                        let future = client.call(request);
                        this.kind.set(Kind::There { future });
                        continue;
                    }
                    unreachable()
                }
                KindProjection::There { future } => match ready!(future.poll(cx)) {
                    Ok(mut response) => {
                        headers::cut(response.headers_mut());
                        return Poll::Ready(Ok(response.map(RelayedBody::there)));
                    }
                    Err(_) => unreachable(),
                },
                KindProjection::Refused { refusal } => refusal.take().expect("polled after it was ready"),
            };
            return Poll::Ready(Ok(refusal.into_response(*this.head)));
        }
    }
}

impl<F, C: Service<Request<B>>, B> fmt::Debug for ResponseFuture<F, C, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
