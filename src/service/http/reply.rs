//! Answers: JSON bodies, and refusals with their `detail`.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use super::body::ResponseBody;
use crate::service::failure::Failure;

impl Failure {
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
