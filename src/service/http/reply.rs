//! Responses to successful requests.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use crate::layers::reply::json_response;

/// A response with a JSON body.
pub(crate) fn json<B: From<Bytes>>(status: StatusCode, value: &impl Serialize) -> Response<B> {
    let json = serde_json::to_vec(value).expect("our answers serialise as JSON");
    json_response(status, Bytes::from(json), false)
}

/// 204 without a body.
pub(crate) fn no_content<B: From<Bytes>>() -> Response<B> {
    let mut response = Response::new(Bytes::new().into());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// The answer to `OPTIONS`: 204 with the allowed methods.
pub(crate) fn options<B: From<Bytes>>(allow: &'static str) -> Response<B> {
    let mut response = no_content();
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    response
}
