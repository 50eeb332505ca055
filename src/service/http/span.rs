//! The fields of a request's span.

use tracing::Span;

/// Maximum length of a value. Clients choose some values, and the log repeats them in every line of the
/// request.
const MAX: usize = 128;

/// Records a field of the current span, if the span has it.
pub(crate) fn record_in_current_span(field: &'static str, value: &str) {
    record_in_span(&Span::current(), field, value);
}

/// Records a field, if its value is short and visible ASCII.
pub(crate) fn record_in_span(span: &Span, field: &'static str, value: &str) {
    if value.len() <= MAX && value.bytes().all(|byte| byte.is_ascii_graphic()) {
        span.record(field, value);
    }
}
