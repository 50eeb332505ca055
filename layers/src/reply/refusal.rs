use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use super::json_response;
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
    challenge: Option<HeaderValue>,
}

impl Refusal {
    /// A refusal with this status and sentence.
    pub fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status, detail: detail.into(), code: None, retry_after: None, allow: None, challenge: None }
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

    /// Adds `WWW-Authenticate`, with what the caller has to authenticate with.
    #[must_use]
    pub fn with_challenge(self, challenge: HeaderValue) -> Self {
        Self { challenge: Some(challenge), ..self }
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

    /// The value of `WWW-Authenticate`, if there is one.
    #[must_use]
    pub fn challenge(&self) -> Option<&HeaderValue> {
        self.challenge.as_ref()
    }

    /// The headers `Retry-After`, `Allow` and `WWW-Authenticate`, as far as they are set: for a
    /// [`Render`](super::Render) that makes a response of its own.
    #[must_use]
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if let Some(methods) = self.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(methods));
        }
        if let Some(challenge) = &self.challenge {
            headers.insert(header::WWW_AUTHENTICATE, challenge.clone());
        }
        headers
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
        response.headers_mut().extend(self.headers());
        response
    }
}

#[cfg(test)]
mod tests {
    use http_body::Body;
    use http_body_util::BodyExt;

    use super::*;
    use crate::reply::ResponseBody;

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
}
