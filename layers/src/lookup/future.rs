use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{Resolve, Resolved, ResponseBody, answers::Answers};
use crate::gate::Gate;

pin_project! {
    /// The future of [`Lookup`](super::Lookup): the resolver's, then the inner service's.
    pub struct ResponseFuture<R, S, B>
    where
        R: Resolve,
        S: Service<Request<B>>,
    {
        #[pin]
        pub(super) gate: Gate<R::Future, S, B, S::Future>,
        pub(super) answers: Answers,
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
        this.gate.poll(cx, &this.answers.renderer, |outcome| {
            this.answers.judge(outcome).map(|value| Some(Resolved(value)))
        })
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
