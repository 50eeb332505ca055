use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response, StatusCode};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{Resolve, Resolved, ResponseBody, Unavailable};
use crate::{
    gate::{Gate, Verdict},
    reply::Refusal,
};

pin_project! {
    /// The future of [`Lookup`](super::Lookup): the resolver's, then the inner service's.
    pub struct ResponseFuture<R, S, B>
    where
        R: Resolve,
        S: Service<Request<B>>,
    {
        #[pin]
        pub(super) gate: Gate<R::Future, S, B, S::Future>,
        pub(super) not_found: &'static str,
    }
}

impl<R, S, B, RB> Future for ResponseFuture<R, S, B>
where
    R: Resolve,
    S: Service<Request<B>, Response = Response<RB>>,
{
    type Output = Result<Response<ResponseBody<RB>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let not_found = *this.not_found;
        this.gate.poll(cx, |outcome, head| judge(outcome, not_found, head))
    }
}

fn judge<T, B>(
    outcome: Result<Option<T>, Unavailable>,
    not_found: &'static str,
    head: bool,
) -> Verdict<Resolved<T>, B> {
    let refusal = match outcome {
        Ok(Some(value)) => return Verdict::Pass(Resolved(value)),
        Ok(None) => Refusal::new(StatusCode::NOT_FOUND, not_found),
        Err(unavailable) => Refusal::new(StatusCode::SERVICE_UNAVAILABLE, unavailable.to_string())
            .with_retry_after(unavailable.seconds()),
    };
    Verdict::Answer(refusal.into_response(head))
}

impl<R, S, B> fmt::Debug for ResponseFuture<R, S, B>
where
    R: Resolve,
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
