//! The response body of the layer.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{Follow, Tail};
use crate::reply;

pin_project! {
    /// The response body of [`Resume`](super::Resume): the inner service's, a stream, or the layer's own answer.
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
        Plain { #[pin] body: reply::ResponseBody<B> },
        Follow { body: Follow<T> },
    }
}

impl<B, T> ResponseBody<B, T> {
    pub(super) fn inner(body: B) -> Self {
        Self { kind: Kind::Plain { body: reply::ResponseBody::inner(body) } }
    }
}

impl<B, T> ResponseBody<B, T> {
    /// Whether it is a stream from an event log.
    pub(super) fn is_stream(&self) -> bool {
        matches!(self.kind, Kind::Follow { .. })
    }
}

impl<B, T> From<Follow<T>> for ResponseBody<B, T> {
    fn from(body: Follow<T>) -> Self {
        Self { kind: Kind::Follow { body } }
    }
}

impl<T> From<Follow<T>> for reply::ResponseBody<Follow<T>> {
    fn from(body: Follow<T>) -> Self {
        Self::inner(body)
    }
}

impl<B, T> From<Bytes> for ResponseBody<B, T> {
    fn from(bytes: Bytes) -> Self {
        Self { kind: Kind::Plain { body: bytes.into() } }
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
            KindProj::Plain { body } => body.poll_frame(cx),
            KindProj::Follow { body } => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Plain { body } => body.is_end_stream(),
            Kind::Follow { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Plain { body } => body.size_hint(),
            Kind::Follow { body } => body.size_hint(),
        }
    }
}
