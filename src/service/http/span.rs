//! What is told of a request in its span.

use tracing::Span;

/// A client chooses some of them: nothing longer is repeated in every line of the log.
const MAX: usize = 128;

/// Fills in a field of the current span, if it has it.
pub(crate) fn record_in_current_span(field: &'static str, value: &str) {
    record_in_span(&Span::current(), field, value);
}

/// Fills in a field, if the value is fit for a log.
pub(crate) fn record_in_span(span: &Span, field: &'static str, value: &str) {
    if value.len() <= MAX && value.bytes().all(|byte| byte.is_ascii_graphic()) {
        span.record(field, value);
    }
}
