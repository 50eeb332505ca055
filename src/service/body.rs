//! Bodies: what the service reads, and what it answers with.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http::{HeaderMap, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use pin_project_lite::pin_project;
use tower::BoxError;

use super::reply::Failure;

/// Reads a whole body of at most `limit` bytes. One that announces more is not read at all.
pub(crate) async fn read<B>(headers: &HeaderMap, body: B, limit: usize) -> Result<Bytes, Failure>
where
    B: Body<Data: Buf, Error: Into<BoxError>>,
{
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .unwrap_or_else(|| body.size_hint().lower());
    if announced > limit as u64 {
        return Err(Failure::too_large(limit));
    }
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Failure::too_large(limit)),
        Err(_) => Err(Failure::bad_request("the body broke off")),
    }
}

pin_project! {
    /// An answer of the service itself, or an inner body `B`.
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = KindProj]
    enum Kind<B> {
        Own { body: Option<Bytes> },
        Inner { #[pin] body: B },
    }
}

impl<B> ResponseBody<B> {
    pub(crate) fn empty() -> Self {
        Self { kind: Kind::Own { body: None } }
    }

    pub(crate) fn full(body: Bytes) -> Self {
        Self { kind: Kind::Own { body: Some(body).filter(|body| !body.is_empty()) } }
    }

    pub(crate) fn inner(body: B) -> Self {
        Self { kind: Kind::Inner { body } }
    }
}

impl<B> From<Bytes> for ResponseBody<B> {
    fn from(body: Bytes) -> Self {
        Self::full(body)
    }
}

impl<B: Body<Data = Bytes>> Body for ResponseBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        Poll::Ready(match self.project().kind.project() {
            KindProj::Own { body } => body.take().map(|bytes| Ok(Frame::data(bytes))),
            KindProj::Inner { body } => ready!(body.poll_frame(cx)),
        })
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Own { body } => body.is_none(),
            Kind::Inner { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Own { body } => SizeHint::with_exact(body.as_ref().map_or(0, Bytes::len) as u64),
            Kind::Inner { body } => body.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::StatusCode;
    use http_body_util::{Empty, Full, StreamBody};

    use super::*;

    /// A body of these chunks that does not tell its length.
    fn chunks(chunks: &'static [&'static str]) -> impl Body<Data = Bytes, Error = Infallible> {
        let frames = chunks.iter().map(|chunk| Ok(Frame::data(Bytes::from_static(chunk.as_bytes()))));
        StreamBody::new(tokio_stream::iter(frames))
    }

    fn status(failure: Failure) -> StatusCode {
        failure.into_response::<Empty<Bytes>>().status()
    }

    #[tokio::test]
    async fn a_body_up_to_the_limit_is_read() {
        let headers = HeaderMap::new();
        assert_eq!(read(&headers, chunks(&["ab", "cd"]), 4).await.unwrap(), "abcd");
        assert_eq!(read(&headers, Full::from("abcd"), 4).await.unwrap(), "abcd");
        assert_eq!(read(&headers, Empty::<Bytes>::new(), 0).await.unwrap(), "");
    }

    #[tokio::test]
    async fn a_longer_one_is_refused_while_it_is_read() {
        let failure = read(&HeaderMap::new(), chunks(&["ab", "cd", "e"]), 4).await.unwrap_err();
        assert_eq!(status(failure), StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test]
    async fn one_that_announces_more_is_not_read() {
        let never = StreamBody::new(tokio_stream::pending::<Result<Frame<Bytes>, Infallible>>());
        let headers = HeaderMap::from_iter([(header::CONTENT_LENGTH, "5".parse().unwrap())]);
        let failure = read(&headers, never, 4).await.unwrap_err();
        assert_eq!(status(failure), StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test]
    async fn one_that_breaks_off_is_a_bad_request() {
        let broken = StreamBody::new(tokio_stream::iter([
            Ok(Frame::data(Bytes::from("{"))),
            Err(std::io::Error::other("reset")),
        ]));
        let failure = read(&HeaderMap::new(), broken, 4).await.unwrap_err();
        assert_eq!(status(failure), StatusCode::BAD_REQUEST);
    }
}
