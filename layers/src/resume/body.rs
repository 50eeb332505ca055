//! The body of a response through the layer.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{Follow, Tail};

pin_project! {
    /// The response body of [`Resume`](super::Resume): the inner service's, a stream, or an answer of the
    /// layer's own.
    #[derive(Debug)]
    pub struct ResponseBody<B, T> {
        #[pin]
        kind: Kind<B, T>,
    }
}

pin_project! {
    #[project = KindProj]
    #[derive(Debug)]
    enum Kind<B, T> {
        Inner { #[pin] body: B },
        Follow { body: Follow<T> },
        Answer { bytes: Bytes },
    }
}

impl<B, T> ResponseBody<B, T> {
    pub(super) fn inner(body: B) -> Self {
        Self { kind: Kind::Inner { body } }
    }
}

impl<B, T> From<Follow<T>> for ResponseBody<B, T> {
    fn from(body: Follow<T>) -> Self {
        Self { kind: Kind::Follow { body } }
    }
}

impl<B, T> From<Bytes> for ResponseBody<B, T> {
    fn from(bytes: Bytes) -> Self {
        Self { kind: Kind::Answer { bytes } }
    }
}

impl<B, T> Body for ResponseBody<B, T>
where
    B: Body<Data = Bytes>,
    T: Tail,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().kind.project() {
            KindProj::Inner { body } => body.poll_frame(cx),
            KindProj::Follow { body } => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            KindProj::Answer { bytes } if bytes.is_empty() => Poll::Ready(None),
            KindProj::Answer { bytes } => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Inner { body } => body.is_end_stream(),
            Kind::Follow { body } => body.is_end_stream(),
            Kind::Answer { bytes } => bytes.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Inner { body } => body.size_hint(),
            Kind::Follow { body } => body.size_hint(),
            Kind::Answer { bytes } => SizeHint::with_exact(bytes.len() as u64),
        }
    }
}
