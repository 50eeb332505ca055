use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{ResponseBody, Verify, answers::Answers};
use crate::gate::Gate;

pin_project! {
    /// The future of [`Auth`](super::Auth): the verifier's, then the inner service's.
    pub struct ResponseFuture<V, S, B>
    where
        V: Verify,
        S: Service<Request<B>>,
    {
        #[pin]
        pub(super) gate: Gate<V::Future, S, B, S::Future>,
        pub(super) answers: Answers,
    }
}

impl<V, S, B, RB> Future for ResponseFuture<V, S, B>
where
    V: Verify,
    S: Service<Request<B>, Response = Response<RB>>,
{
    type Output = Result<Response<ResponseBody<RB>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.gate.poll(cx, &this.answers.renderer, |decision| this.answers.judge(decision))
    }
}

impl<V, S, B> fmt::Debug for ResponseFuture<V, S, B>
where
    V: Verify,
    S: Service<Request<B>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
