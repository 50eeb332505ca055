//! The small answers that a layer gives itself.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::json;

/// A body that is given in one frame.
#[derive(Debug, Default)]
pub(crate) struct Reply(Option<Bytes>);

/// An answer with the body `{"detail": sentence}`.
pub(crate) fn detail(status: StatusCode, sentence: &str) -> Response<Reply> {
    let body = json::detail(sentence);
    let mut response = Response::new(Reply::default());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // Said here and not left to the server: the answer to HEAD names the length of a body it has not.
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    *response.body_mut() = Reply(Some(Bytes::from(body)));
    response
}

/// The answer to something that may work in a second: 503 with `Retry-After: 1`.
pub(crate) fn unavailable(sentence: &str, retry_after: u64) -> Response<Reply> {
    let mut response = detail(StatusCode::SERVICE_UNAVAILABLE, sentence);
    response.headers_mut().insert(header::RETRY_AFTER, retry_after.into());
    response
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

pin_project! {
    /// The inner service's body, or the layer's own small answer.
    ///
    /// Its errors are the inner body's; an own answer has none. The default is an empty answer.
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = KindProjection]
    enum Kind<B> {
        Inner { #[pin] body: B },
        Own { reply: Reply },
    }
}

impl<B> ResponseBody<B> {
    pub(crate) fn inner(body: B) -> Self {
        Self { kind: Kind::Inner { body } }
    }

    pub(crate) fn own(reply: Reply) -> Self {
        Self { kind: Kind::Own { reply } }
    }
}

impl<B> Default for ResponseBody<B> {
    fn default() -> Self {
        Self::own(Reply::default())
    }
}

impl<B> Body for ResponseBody<B>
where
    B: Body<Data = Bytes>,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.project().kind.project() {
            KindProjection::Inner { body } => body.poll_frame(cx),
            KindProjection::Own { reply } => {
                Pin::new(reply).poll_frame(cx).map_err(|impossible| match impossible {})
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Inner { body } => body.is_end_stream(),
            Kind::Own { reply } => reply.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Inner { body } => body.size_hint(),
            Kind::Own { reply } => reply.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn an_answer_is_json_of_a_known_length_in_one_frame() {
        let response = detail(StatusCode::NOT_FOUND, "nothing here");
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
        assert_eq!(response.headers()[header::CONTENT_LENGTH], "25");

        let mut body = response.into_body();
        assert_eq!(body.size_hint().exact(), Some(25));
        assert!(!body.is_end_stream());
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), r#"{"detail":"nothing here"}"#);
        assert!(body.is_end_stream());
        assert_eq!(body.size_hint().exact(), Some(0));
        assert!(body.frame().await.is_none());
    }

    #[tokio::test]
    async fn the_inner_body_comes_through_with_its_trailers_and_hints() {
        let trailers = http::HeaderMap::from_iter([(header::ETAG, HeaderValue::from_static("x"))]);
        let inner = http_body_util::Full::new(Bytes::from_static(b"hello")).with_trailers({
            let trailers = trailers.clone();
            async move { Some(Ok(trailers)) }
        });
        let inner = Box::pin(inner);
        let hint = inner.size_hint();
        let body = ResponseBody::inner(inner);
        assert_eq!(body.size_hint().lower(), hint.lower());
        let collected = body.collect().await.unwrap();
        assert_eq!(collected.trailers(), Some(&trailers));
        assert_eq!(collected.to_bytes(), "hello");
    }
}
