//! The answers of a layer itself: the JSON refusal `{"detail": "…"}`, and a body that is either such an answer or the
//! inner service's body.

use std::{
    borrow::Cow,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::json;

/// A refusal: a status, one sentence, and headers.
///
/// It becomes a response with the JSON body `{"detail": "<the sentence>"}`, with a member `code` if one is set.
///
/// ```
/// use agent_webkit_layers::reply::{Refusal, ResponseBody};
/// use http::{Response, StatusCode, header::RETRY_AFTER};
///
/// let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "try again").with_retry_after(1);
/// let response: Response<ResponseBody<http_body_util::Empty<bytes::Bytes>>> = refusal.into_response(false);
/// assert_eq!(response.headers()[RETRY_AFTER], "1");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    status: StatusCode,
    detail: Cow<'static, str>,
    code: Option<&'static str>,
    /// In seconds.
    retry_after: Option<u64>,
    allow: Option<&'static str>,
}

impl Refusal {
    /// A refusal with this status and sentence.
    pub fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status, detail: detail.into(), code: None, retry_after: None, allow: None }
    }

    /// Adds a code for programs: the member `code` of the body.
    #[must_use]
    pub fn with_code(self, code: &'static str) -> Self {
        Self { code: Some(code), ..self }
    }

    /// Adds `Retry-After`, in seconds.
    #[must_use]
    pub fn with_retry_after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// Adds `Allow`, with the methods of the path.
    #[must_use]
    pub fn with_allow(self, methods: &'static str) -> Self {
        Self { allow: Some(methods), ..self }
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The sentence.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The code, if there is one.
    #[must_use]
    pub fn code(&self) -> Option<&'static str> {
        self.code
    }

    /// The seconds of `Retry-After`, if there are any.
    #[must_use]
    pub fn retry_after(&self) -> Option<u64> {
        self.retry_after
    }

    /// The response, without its body if it answers a `HEAD` request (`head`).
    pub fn into_response<B: From<Bytes>>(self, head: bool) -> Response<B> {
        let body = match self.code {
            Some(code) => {
                format!("{{\"detail\":{},\"code\":{}}}", json::string(&self.detail), json::string(code))
            }
            None => json::detail(&self.detail),
        };
        let mut response = json_response(self.status, body, head);
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if let Some(methods) = self.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(methods));
        }
        response
    }
}

/// A response with this JSON text as its body, or without the body if it answers a `HEAD` request (`head`).
///
/// `Content-Length` is set here and not left to the server, because the answer to `HEAD` names the length of a body that
/// it does not have.
pub fn json_response<B: From<Bytes>>(status: StatusCode, json: impl Into<Bytes>, head: bool) -> Response<B> {
    let body = json.into();
    let length = HeaderValue::from(body.len());
    let mut response = Response::new(if head { Bytes::new() } else { body }.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CONTENT_LENGTH, length);
    response
}

pin_project! {
    /// The inner service's body, or the body of the layer's own answer.
    ///
    /// Its errors are those of the inner body; the body of an own answer never fails. The default is an empty body.
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
        Own { bytes: Option<Bytes> },
    }
}

impl<B> ResponseBody<B> {
    /// The inner service's body.
    pub const fn inner(body: B) -> Self {
        Self { kind: Kind::Inner { body } }
    }

    /// An empty body.
    #[must_use]
    pub const fn empty() -> Self {
        Self { kind: Kind::Own { bytes: None } }
    }

    /// A body of these bytes, in one frame.
    #[must_use]
    pub fn full(bytes: Bytes) -> Self {
        Self { kind: Kind::Own { bytes: Some(bytes).filter(|bytes| !bytes.is_empty()) } }
    }
}

impl<B> Default for ResponseBody<B> {
    fn default() -> Self {
        Self::empty()
    }
}

impl<B> From<Bytes> for ResponseBody<B> {
    fn from(bytes: Bytes) -> Self {
        Self::full(bytes)
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
            KindProjection::Own { bytes } => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Inner { body } => body.is_end_stream(),
            Kind::Own { bytes } => bytes.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Inner { body } => body.size_hint(),
            Kind::Own { bytes } => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn an_answer_is_json_of_a_known_length_in_one_frame() {
        let refusal = Refusal::new(StatusCode::NOT_FOUND, "nothing here");
        let response = refusal.into_response::<ResponseBody<http_body_util::Empty<Bytes>>>(false);
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
