//! Answers: JSON bodies, and refusals with their `detail`.

use std::{borrow::Cow, error::Error, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use super::body::ResponseBody;
use crate::{catalog::CatalogError, layers::lookup::Unavailable, store::StoreError};

const BACKPRESSURE: &str = "backpressure";

/// A refusal: a status, a sentence, and what the protocol wants beside them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    status: StatusCode,
    detail: Cow<'static, str>,
    code: Option<&'static str>,
    /// In seconds.
    retry_after: Option<u64>,
    allow: Option<&'static str>,
}

impl Failure {
    pub(crate) fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status, detail: detail.into(), code: None, retry_after: None, allow: None }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn is_backpressure(&self) -> bool {
        self.code == Some(BACKPRESSURE)
    }

    pub(crate) fn bad_request(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(crate) fn unprocessable(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    pub(crate) fn forbidden(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    /// 503, and the client may come back in a second.
    pub(crate) fn unavailable(detail: impl Into<Cow<'static, str>>) -> Self {
        Self { retry_after: Some(1), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, detail) }
    }

    /// 503, and the client may come back after that time.
    pub(crate) fn unavailable_for(time: Duration, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { retry_after: Some(time.as_secs() + 1), ..Self::unavailable(detail) }
    }

    pub(crate) fn backpressure() -> Self {
        Self {
            code: Some(BACKPRESSURE),
            ..Self::unavailable("too many messages are queued; try again later")
        }
    }

    pub(crate) fn unknown_path() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is nothing at this path")
    }

    pub(crate) fn unknown_session() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is no such session")
    }

    pub(crate) fn method(allow: &'static str) -> Self {
        let detail = format!("this path takes {allow}");
        Self { allow: Some(allow), ..Self::new(StatusCode::METHOD_NOT_ALLOWED, detail) }
    }

    pub(crate) fn too_slow() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "the body took too long to come")
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is longer than {limit} bytes"))
    }

    /// The finished answer, without its body when it is one to `HEAD`.
    pub(crate) fn into_response_to<B>(self, head: bool) -> Response<ResponseBody<B>> {
        let response = self.into_response();
        if head { response.map(|_: ResponseBody<B>| ResponseBody::empty()) } else { response }
    }

    /// The finished answer.
    pub(crate) fn into_response<B>(self) -> Response<ResponseBody<B>> {
        #[derive(Serialize)]
        struct Body<'a> {
            detail: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            code: Option<&'a str>,
        }
        let mut response = json(self.status, &Body { detail: &self.detail, code: self.code });
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if let Some(allow) = self.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        response
    }
}

/// The operator is told why, the client is not.
impl From<CatalogError> for Failure {
    fn from(error: CatalogError) -> Self {
        no_store(&error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        no_store(&error)
    }
}

fn no_store(error: &dyn Error) -> Failure {
    tracing::error!(error = sentence(error), "the session store is not available");
    Failure::unavailable("the session store is not available now; try again")
}

impl From<Failure> for Unavailable {
    fn from(failure: Failure) -> Self {
        let retry_after = failure.retry_after.unwrap_or(1);
        Self::new(failure.detail).retry_after(retry_after)
    }
}

/// An answer with a JSON body.
pub(crate) fn json<B>(status: StatusCode, value: &impl Serialize) -> Response<ResponseBody<B>> {
    let body = Bytes::from(serde_json::to_vec(value).expect("what we answer is always JSON"));
    let length = HeaderValue::from(body.len());
    let mut response = Response::new(ResponseBody::full(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CONTENT_LENGTH, length);
    response
}

/// 204, and nothing else.
pub(crate) fn no_content<B>() -> Response<ResponseBody<B>> {
    let mut response = Response::new(ResponseBody::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// What `OPTIONS` is told.
pub(crate) fn options<B>(allow: &'static str) -> Response<ResponseBody<B>> {
    let mut response = no_content();
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    response
}

/// An error and what caused it, in one line.
pub(crate) fn sentence(error: &dyn Error) -> String {
    let mut sentence = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !sentence.contains(&cause_text) {
            sentence.push_str(": ");
            sentence.push_str(&cause_text);
        }
        source = cause.source();
    }
    sentence
}
