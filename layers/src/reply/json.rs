use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

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
