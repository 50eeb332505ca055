//! The layer's answers to a request for a stream.

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};

use super::{Bounds, Cursor, Follow, InvalidLastEventId, Tail, TailError};
use crate::reply::Refusal;

pub(super) const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");
const NO: HeaderValue = HeaderValue::from_static("no");
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The 200 answer that follows `tail`: see [`Follow`] for `keepalive` and `state`.
///
/// The response has the headers
/// `content-type: text/event-stream`, `cache-control: no-cache` and `x-accel-buffering: no`.
pub(super) fn stream_response<T: Tail>(
    tail: T,
    keepalive: Option<Duration>,
    state: Option<Bytes>,
) -> Response<Follow<T>> {
    stream_head(Follow::new(tail, keepalive).with_state(state))
}

/// The refusal when [`EventStream::tail`](super::EventStream::tail) fails: 412, 404 when the stream was deleted, or 503 with
/// `retry-after: 1` when the event log cannot be read now or another writer has the stream.
pub(super) fn not_read(error: &TailError) -> Refusal {
    match error {
        TailError::Evicted(_) | TailError::Ahead { .. } => {
            let detail = format!("the stream cannot be resumed: {error}");
            Refusal::new(StatusCode::PRECONDITION_FAILED, detail)
        }
        TailError::Forgotten => Refusal::new(StatusCode::NOT_FOUND, "the stream was deleted"),
        TailError::Fenced => try_again("the stream is served elsewhere now; try again"),
        TailError::Unavailable(source) => unavailable(&**source),
    }
}

/// The 400 for a malformed last event id.
pub(super) fn invalid(error: InvalidLastEventId) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, error.to_string())
}

/// The 503 when the event log fails. The cause is logged and not sent to the client.
pub(super) fn unavailable(source: &dyn fmt::Display) -> Refusal {
    tracing::error!(error = %source, "the event log is unavailable");
    try_again("the event log is not available now; try again")
}

/// A 503 with `retry-after: 1`.
pub(super) fn try_again(detail: &'static str) -> Refusal {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, detail).with_retry_after(1)
}

/// The answer to a HEAD request: status and headers as for GET, without attaching a reader.
pub(super) fn head_response<B: From<Bytes>>(bounds: &Bounds, cursor: Cursor) -> Result<Response<B>, Refusal> {
    match bounds.admit(cursor) {
        Ok(_) => Ok(stream_head(Bytes::new().into())),
        Err(error) => Err(not_read(&error)),
    }
}

/// Whether a request with this method can ask for a stream.
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
