use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Buf;
use http::{Response, StatusCode};
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};

use super::{body::Rest, bounds::Bounds};

/// Maximum number of frames that are read before other tasks get their turn.
const BURST: usize = 64;

pin_project! {
    /// The future of [`Drain`](super::Drain): the inner service's, then the rest of the request's body.
    pub struct ResponseFuture<F, R, B> {
        // Dropped when it is ready: it may still hold the request's body.
        #[pin]
        inner: Option<F>,
        kept: Option<(Rest<B>, Bounds)>,
        draining: Option<Draining<R, B>>,
    }
}

/// A response that waits for the rest of the request's body.
struct Draining<R, B> {
    response: Option<R>,
    rest: Pin<Box<B>>,
    left: u64,
    deadline: Pin<Box<Sleep>>,
}

impl<F, R, B> ResponseFuture<F, R, B> {
    pub(super) fn new(inner: F, kept: Option<(Rest<B>, Bounds)>) -> Self {
        Self { inner: Some(inner), kept, draining: None }
    }
}

impl<F, R, E, B> Future for ResponseFuture<F, Response<R>, B>
where
    F: Future<Output = Result<Response<R>, E>>,
    B: Body,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Some(inner) = this.inner.as_mut().as_pin_mut() {
            let response = ready!(inner.poll(cx))?;
            this.inner.set(None);
            match this.kept.take().and_then(|(rest, bounds)| Some((rest.take()?, bounds))) {
                Some((rest, bounds)) if worthwhile(&response, &*rest, bounds) => {
                    *this.draining = Some(Draining::new(response, rest, bounds));
                }
                _ => return Poll::Ready(Ok(response)),
            }
        }
        let draining = this.draining.as_mut().expect("polled after it was ready");
        ready!(draining.poll_rest(cx));
        Poll::Ready(Ok(draining.response.take().expect("polled after it was ready")))
    }
}

/// Whether the client may be sending something that can be read to its end.
fn worthwhile<R>(response: &Response<R>, rest: &impl Body, bounds: Bounds) -> bool {
    response.status() != StatusCode::REQUEST_TIMEOUT
        && !rest.is_end_stream()
        && rest.size_hint().lower() <= bounds.bytes
}

impl<R, B: Body> Draining<R, B> {
    fn new(response: R, rest: Pin<Box<B>>, bounds: Bounds) -> Self {
        let deadline = Box::pin(sleep(bounds.time));
        Self { response: Some(response), rest, left: bounds.bytes, deadline }
    }

    /// Ready when nothing more is read, for whatever reason.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.deadline.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        for _ in 0..BURST {
            let Some(Ok(frame)) = ready!(self.rest.as_mut().poll_frame(cx)) else { return Poll::Ready(()) };
            let read = frame.data_ref().map_or(0, |data| data.remaining() as u64);
            match self.left.checked_sub(read) {
                Some(left) => self.left = left,
                None => return Poll::Ready(()),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<F, R, B> fmt::Debug for ResponseFuture<F, R, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
