//! The span of a request, and the events logged in it.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use tower::BoxError;
use tower_http::{
    body::UnsyncBoxBody,
    classify::{NeverClassifyEos, ServerErrorsAsFailures, ServerErrorsFailureClass, SharedClassifier},
    trace::{
        self, DefaultOnEos, DefaultOnFailure, DefaultOnResponse, MakeSpan, OnEos, OnFailure, OnResponse,
        Trace, TraceLayer,
    },
};
use tracing::{Level, Span, field::Empty};

use crate::service::{record_in_span, session_of};

/// Makes the span of a request, for a [`TraceLayer`].
///
/// It is called `request`, at level info, and has these fields:
///
/// | field | |
/// |---|---|
/// | `method`, `path` | as the service sees them, without the query |
/// | `request_id` | the request's `x-request-id` |
/// | `session_id` | the id of the session in the path, or of the created session |
/// | `correlation_id` | the id of the prompt that an input answers |
/// | `from_seq` | the sequence number of the first event that a reader can receive |
///
/// The service records the last two, and the id of a created session, in the current span if it has such a
/// field. The span has no other header, no query and no body.
#[derive(Clone, Copy, Debug)]
pub struct RequestSpan {
    on: bool,
}

impl RequestSpan {
    /// Creates the span maker.
    #[must_use]
    pub const fn new() -> Self {
        Self { on: true }
    }
}

impl Default for RequestSpan {
    fn default() -> Self {
        Self::new()
    }
}

impl<B> MakeSpan<B> for RequestSpan {
    fn make_span(&mut self, request: &Request<B>) -> Span {
        if !self.on {
            return Span::none();
        }
        let span = tracing::info_span!(
            "request",
            method = %request.method(),
            path = without_link(request.uri().path()),
            request_id = Empty,
            session_id = Empty,
            correlation_id = Empty,
            from_seq = Empty,
        );
        if let Some(id) = request.headers().get("x-request-id").and_then(|id| id.to_str().ok()) {
            record_in_span(&span, "request_id", id);
        }
        if let Some(id) = session_of(request.uri().path()) {
            record_in_span(&span, "session_id", id);
        }
        span
    }
}

/// The path without the token of a link, which is a credential.
fn without_link(path: &str) -> &str {
    path.find("/approve/").map_or(path, |at| &path[..at + "/approve".len()])
}

/// The body inside the trace layer: one type, whichever layer has answered.
type Erased = UnsyncBoxBody<Bytes, BoxError>;

pub(super) type Traced<S> =
    Trace<S, SharedClassifier<ServerErrorsAsFailures>, RequestSpan, (), Answered, (), Ended, Failed>;
type Answered = fn(&Response<Erased>, Duration, &Span);
type Ended = fn(Option<&HeaderMap>, Duration, &Span);
type Failed = fn(ServerErrorsFailureClass, Duration, &Span);

pub(super) type TracedBody =
    trace::ResponseBody<Erased, NeverClassifyEos<ServerErrorsFailureClass>, (), Ended, Failed>;
pub(super) type Layer =
    TraceLayer<SharedClassifier<ServerErrorsAsFailures>, RequestSpan, (), Answered, (), Ended, Failed>;

/// Creates the trace layer, or one that does nothing.
pub(super) fn layer(on: bool) -> Layer {
    let (answered, ended, failed): (Answered, Ended, Failed) =
        if on { (log_answer, log_end, log_failure) } else { (|_, _, _| {}, |_, _, _| {}, |_, _, _| {}) };
    TraceLayer::new_for_http()
        .make_span_with(RequestSpan { on })
        .on_request(())
        .on_response(answered)
        .on_body_chunk(())
        .on_eos(ended)
        .on_failure(failed)
}

fn log_answer(response: &Response<Erased>, latency: Duration, span: &Span) {
    DefaultOnResponse::new().on_response(response, latency, span);
}

fn log_end(trailers: Option<&HeaderMap>, duration: Duration, span: &Span) {
    DefaultOnEos::new().on_eos(trailers, duration, span);
}

/// Logs failures as warnings: an operator need not act on a 503 to a client that sends too fast.
fn log_failure(class: ServerErrorsFailureClass, latency: Duration, span: &Span) {
    DefaultOnFailure::new().level(Level::WARN).on_failure(class, latency, span);
}
