//! A request that makes the service panic.

use std::{any::Any, borrow::Cow};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;

pub(super) type Answer = fn(Box<dyn Any + Send>) -> Response<Full<Bytes>>;

/// A bug of ours is a 500 like any other answer.
pub(super) fn answer(panic: Box<dyn Any + Send>) -> Response<Full<Bytes>> {
    let text = panic.downcast::<String>().map_or_else(
        |panic| panic.downcast::<&str>().map_or("no text".into(), |text| Cow::Borrowed(*text)),
        |text| Cow::Owned(*text),
    );
    tracing::error!(panic = %text, "a request made the service panic");
    let mut response = Response::new(Full::from(r#"{"detail":"the server made a mistake"}"#));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
