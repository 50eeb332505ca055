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
    reply,
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
        this.gate.poll(cx, |outcome| judge(outcome, not_found))
    }
}

fn judge<T>(outcome: Result<Option<T>, Unavailable>, not_found: &str) -> Verdict<Resolved<T>> {
    match outcome {
        Ok(Some(value)) => Verdict::Pass(Resolved(value)),
        Ok(None) => Verdict::Answer(reply::detail(StatusCode::NOT_FOUND, not_found)),
        Err(unavailable) => {
            Verdict::Answer(reply::unavailable(&unavailable.to_string(), unavailable.seconds()))
        }
    }
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
