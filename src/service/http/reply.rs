//! Responses to successful requests.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use crate::layers::reply::{ResponseBody, json_response};

/// A response with a JSON body.
pub(crate) fn json<B>(status: StatusCode, value: &impl Serialize) -> Response<ResponseBody<B>> {
    let json = serde_json::to_vec(value).expect("our answers serialise as JSON");
    json_response(status, Bytes::from(json), false)
}

/// 204 without a body.
pub(crate) fn no_content<B>() -> Response<ResponseBody<B>> {
    let mut response = Response::new(ResponseBody::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// The answer to `OPTIONS`: 204 with the allowed methods.
pub(crate) fn options<B>(allow: &'static str) -> Response<ResponseBody<B>> {
    let mut response = no_content();
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    response
}
