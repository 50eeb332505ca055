//! The answers to a request for a stream.

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER},
};

use super::{Bounds, Cursor, Follow, InvalidLastEventId, Tail, TailError};
use crate::json;

pub(super) const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");
const NO: HeaderValue = HeaderValue::from_static("no");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The 200 answer that follows `tail`: see [`Follow`] for `keepalive` and `state`.
///
/// For a service that answers for itself what [`ResumeLayer`](super::ResumeLayer) would. Its headers are
/// `content-type: text/event-stream`, `cache-control: no-cache` and `x-accel-buffering: no`.
pub fn stream_response<T: Tail>(
    tail: T,
    keepalive: Option<Duration>,
    state: Option<Bytes>,
) -> Response<Follow<T>> {
    stream_head(Follow::new(tail, keepalive).with_state(state))
}

/// The answer to a reader that gets no tail: 412, or 503 with `retry-after: 1` when the log cannot be read
/// now. The body is `{"detail": "…"}`.
pub fn refusal_response<B: From<Bytes>>(error: &TailError) -> Response<B> {
    match error {
        TailError::Evicted(_) | TailError::Ahead { .. } => detail_response(
            StatusCode::PRECONDITION_FAILED,
            &format!("the stream cannot be resumed: {error}"),
        ),
        TailError::Unavailable(source) => unavailable_response(&**source),
    }
}

/// The 400 answer to a malformed last event id. The body is `{"detail": "…"}`.
pub(super) fn invalid_response<B: From<Bytes>>(error: InvalidLastEventId) -> Response<B> {
    detail_response(StatusCode::BAD_REQUEST, &error.to_string())
}

/// The 503 answer when the log does not work. The client is not told why, the operator is.
pub(super) fn unavailable_response<B: From<Bytes>>(source: &dyn fmt::Display) -> Response<B> {
    tracing::error!(error = %source, "the event log is unavailable");
    retry_response("the event log is not available now; try again")
}

/// A 503 answer that asks to try again in a second.
pub(super) fn retry_response<B: From<Bytes>>(detail: &str) -> Response<B> {
    let mut response = detail_response(StatusCode::SERVICE_UNAVAILABLE, detail);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// What a HEAD request is told: status and headers as for GET, and nobody is attached.
pub(super) fn head_response<B: From<Bytes>>(bounds: &Bounds, cursor: Cursor) -> Response<B> {
    match bounds.admit(cursor) {
        Ok(_) => stream_head(Bytes::new().into()),
        Err(error) => refusal_response(&error),
    }
}

/// Only these methods ask for a stream.
pub(super) fn asks_for_stream(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

pub(super) fn stream_head<B>(body: B) -> Response<B> {
    let mut response = Response::new(body);
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(CONTENT_TYPE, EVENT_STREAM);
    headers.insert(CACHE_CONTROL, NO_CACHE);
    headers.insert(X_ACCEL_BUFFERING, NO);
    response
}

fn detail_response<B: From<Bytes>>(status: StatusCode, detail: &str) -> Response<B> {
    let body = json::detail(detail);
    let mut response = Response::new(Bytes::from(body).into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}
