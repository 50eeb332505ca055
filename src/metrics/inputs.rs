//! Inputs that clients send to sessions.

use http::StatusCode;

use super::metric::{Kind, Metric};
use crate::proto::Inbound;

const INPUTS: Metric = Metric::new(Kind::Counter, "agent_webkit_inputs_total", "Inputs by type and outcome.");

pub(super) const ALL: &[Metric] = &[INPUTS];

/// Counts an answered input. `message` is `None` if the input was invalid.
pub(crate) fn input_answered(message: Option<&Inbound>, status: StatusCode, backpressure: bool) {
    INPUTS.counter(&[("type", kind(message)), ("outcome", outcome(message, status, backpressure))]).add(1);
}

fn kind(message: Option<&Inbound>) -> &'static str {
    match message {
        None => "none",
        Some(Inbound::UserMessage { .. }) => "user_message",
        Some(Inbound::CancelMessage { .. }) => "cancel_message",
        Some(Inbound::Rewind { .. }) => "rewind",
        Some(Inbound::Interrupt) => "interrupt",
        Some(Inbound::PermissionResponse { .. }) => "permission_response",
        Some(Inbound::QuestionResponse { .. }) => "question_response",
        Some(Inbound::ElicitationResponse { .. }) => "elicitation_response",
        Some(Inbound::SetPermissionMode { .. }) => "set_permission_mode",
        Some(Inbound::SetModel { .. }) => "set_model",
        Some(Inbound::StopTask { .. }) => "stop_task",
    }
}

fn outcome(message: Option<&Inbound>, status: StatusCode, backpressure: bool) -> &'static str {
    match status {
        _ if backpressure => "backpressure",
        StatusCode::NO_CONTENT => "accepted",
        StatusCode::CONFLICT if is_about_messages(message) => "conflict",
        StatusCode::CONFLICT => "settled",
        StatusCode::NOT_FOUND => "no_session",
        StatusCode::SERVICE_UNAVAILABLE => "unavailable",
        StatusCode::REQUEST_TIMEOUT => "too_slow",
        _ => "refused",
    }
}

/// Whether a conflict is about a message, not about a prompt.
fn is_about_messages(message: Option<&Inbound>) -> bool {
    matches!(
        message,
        Some(Inbound::UserMessage { .. } | Inbound::CancelMessage { .. } | Inbound::Rewind { .. })
    )
}
