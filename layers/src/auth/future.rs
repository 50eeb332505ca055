use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{ResponseBody, Verify};
use crate::gate::{Gate, Verdict};

pin_project! {
    /// The future of [`Auth`](super::Auth): the verifier's, then the inner service's.
    pub struct ResponseFuture<V, S, B>
    where
        V: Verify,
        S: Service<Request<B>>,
    {
        #[pin]
        pub(super) gate: Gate<V::Future, S, B, S::Future>,
    }
}

impl<V, S, B, RB> Future for ResponseFuture<V, S, B>
where
    V: Verify,
    S: Service<Request<B>, Response = Response<RB>>,
{
    type Output = Result<Response<ResponseBody<RB>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().gate.poll(cx, |decision, head| match decision {
            Ok(principal) => Verdict::Pass(principal),
            Err(denied) => Verdict::Answer(denied.render(head)),
        })
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
