use std::{
    error::Error,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::reply::ResponseBody;

pin_project! {
    /// The body of a response from here, from another host, or of the layer's own refusal.
    #[derive(Debug)]
    pub struct RelayedBody<S, C> {
        #[pin]
        kind: Kind<S, C>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = KindProjection]
    enum Kind<S, C> {
        Here { #[pin] body: ResponseBody<S> },
        There { #[pin] body: C },
    }
}

impl<S, C> RelayedBody<S, C> {
    pub(super) fn here(body: S) -> Self {
        Self { kind: Kind::Here { body: ResponseBody::inner(body) } }
    }

    pub(super) fn there(body: C) -> Self {
        Self { kind: Kind::There { body } }
    }
}

impl<S, C> From<Bytes> for RelayedBody<S, C> {
    fn from(bytes: Bytes) -> Self {
        Self { kind: Kind::Here { body: bytes.into() } }
    }
}

impl<S, C> Body for RelayedBody<S, C>
where
    S: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>>,
    C: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>>,
{
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.project().kind.project() {
            KindProjection::Here { body } => body.poll_frame(cx).map_err(Into::into),
            KindProjection::There { body } => body.poll_frame(cx).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Here { body } => body.is_end_stream(),
            Kind::There { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Here { body } => body.size_hint(),
            Kind::There { body } => body.size_hint(),
        }
    }
}
