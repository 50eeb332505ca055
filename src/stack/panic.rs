//! The response to a request that made the service panic.

use std::{any::Any, borrow::Cow};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;

use crate::layers::reply::Refusal;

pub(super) type Answer = fn(Box<dyn Any + Send>) -> Response<Full<Bytes>>;

/// Turns a panic into a 500 with a JSON body, and logs its text.
pub(super) fn answer(panic: Box<dyn Any + Send>) -> Response<Full<Bytes>> {
    let text = panic.downcast::<String>().map_or_else(
        |panic| panic.downcast::<&str>().map_or("no text".into(), |text| Cow::Borrowed(*text)),
        |text| Cow::Owned(*text),
    );
    tracing::error!(panic = %text, "the service panicked in a request");
    let refusal = Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the server made a mistake");
    refusal.into_response(false)
}
