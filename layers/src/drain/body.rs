use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::sync::lock;

pin_project! {
    /// The request's body, as the inner service of [`Drain`](super::Drain) reads it. Dropped before its end, it goes back to
    /// the layer.
    pub struct RequestBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<B> {
        Plain { #[pin] body: B },
        Kept { body: KeptBody<B> },
    }
}

/// A body that the layer gets back.
struct KeptBody<B> {
    /// `None` once nothing more is to be read.
    body: Option<Pin<Box<B>>>,
    /// The client waits for somebody to read before it sends.
    unasked: bool,
    returned: Rest<B>,
}

/// The place where a body is put when the inner service drops it unread.
pub(super) struct Rest<B>(Arc<Mutex<Option<Pin<Box<B>>>>>);

impl<B> Rest<B> {
    pub(super) fn take(&self) -> Option<Pin<Box<B>>> {
        lock(&self.0).take()
    }
}

impl<B> RequestBody<B> {
    /// A body that is not kept.
    pub(super) const fn plain(body: B) -> Self {
        Self { kind: Kind::Plain { body } }
    }

    /// A body of which the rest comes back. `unasked`: not before somebody has read from it.
    pub(super) fn kept(body: B, unasked: bool) -> (Self, Rest<B>) {
        let returned = Arc::default();
        let rest = Rest(Arc::clone(&returned));
        let body = KeptBody { body: Some(Box::pin(body)), unasked, returned: Rest(returned) };
        (Self { kind: Kind::Kept { body } }, rest)
    }
}

impl<B: Body> Body for RequestBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        match self.project().kind.project() {
            KindProjection::Plain { body } => body.poll_frame(cx),
            KindProjection::Kept { body: kept } => {
                kept.unasked = false;
                let Some(body) = &mut kept.body else { return Poll::Ready(None) };
                let frame = ready!(body.as_mut().poll_frame(cx));
                if !matches!(frame, Some(Ok(_))) {
                    kept.body = None;
                }
                Poll::Ready(frame)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Plain { body } => body.is_end_stream(),
            Kind::Kept { body: kept } => kept.body.as_ref().is_none_or(Body::is_end_stream),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Plain { body } => body.size_hint(),
            Kind::Kept { body: kept } => {
                kept.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
            }
        }
    }
}

impl<B> Drop for KeptBody<B> {
    fn drop(&mut self) {
        if !self.unasked {
            *lock(&self.returned.0) = self.body.take();
        }
    }
}

impl<B> fmt::Debug for RequestBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody").finish_non_exhaustive()
    }
}
