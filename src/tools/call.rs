//! [`ToolCall`]: one call of a tool.

use std::fmt;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::server::{Message, Outgoing};

/// A call of a tool, with the input that the model gave it.
///
/// A clone is the same call: progress and cancellation are shared, as a retry needs it.
#[derive(Clone)]
#[non_exhaustive]
pub struct ToolCall<T> {
    /// The tool's input.
    pub input: T,
    /// The id of the session whose agent calls.
    pub session_id: String,
    /// The owner of the session: the principal that created it. `None` if authentication is off.
    pub principal: Option<String>,
    /// The id of the call, as in the events `tool_use` and `tool_result`.
    pub tool_use_id: String,
    pub(super) progress: Option<ProgressTo>,
    pub(super) cancelled: CancellationToken,
}

/// Where the progress of a call is reported.
#[derive(Clone)]
pub(super) struct ProgressTo {
    pub(super) token: serde_json::Value,
    pub(super) out: Outgoing,
}

impl<T> ToolCall<T> {
    /// Creates a call whose progress nobody reads, to test a tool's service.
    #[must_use]
    pub fn new(session_id: impl Into<String>, tool_use_id: impl Into<String>, input: T) -> Self {
        Self {
            input,
            session_id: session_id.into(),
            principal: None,
            tool_use_id: tool_use_id.into(),
            progress: None,
            cancelled: CancellationToken::new(),
        }
    }

    /// Reports progress: how much is done, how much there is in total if that is known, and what is being done.
    /// Readers of the session's stream get it as the event `status` with the status `tool_progress`. Each report
    /// must be greater than the one before. Reports that come faster than they are sent are dropped.
    pub fn progress(&self, done: f64, total: Option<f64>, message: Option<&str>) {
        let Some(ProgressTo { token, out }) = &self.progress else { return };
        let mut params = json!({"progressToken": token, "progress": done});
        if let Some(total) = total {
            params["total"] = json!(total);
        }
        if let Some(message) = message {
            params["message"] = json!(message);
        }
        out.try_send(Message::notification("notifications/progress", &params));
    }

    /// Resolves when the call is cancelled: the turn was interrupted, or the agent has ended. The service's own
    /// future is dropped then; this is for what it started elsewhere.
    pub fn cancelled(&self) -> impl Future<Output = ()> + Send + 'static {
        self.cancelled.clone().cancelled_owned()
    }

    /// Whether the call is cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.is_cancelled()
    }

    /// Makes another input of the input.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> ToolCall<U> {
        let Self { input, session_id, principal, tool_use_id, progress, cancelled } = self;
        ToolCall { input: change(input), session_id, principal, tool_use_id, progress, cancelled }
    }
}

impl<T: fmt::Debug> fmt::Debug for ToolCall<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolCall")
            .field("input", &self.input)
            .field("session_id", &self.session_id)
            .field("principal", &self.principal)
            .field("tool_use_id", &self.tool_use_id)
            .field("is_cancelled", &self.is_cancelled())
            .finish_non_exhaustive()
    }
}
