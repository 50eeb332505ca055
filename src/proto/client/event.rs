//! The events that a client reads.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::events::{
    ElicitationRequest, Failed, FilesRewound, HookDecisionRequest, McpStatusChange, Members, MessageComplete,
    MessageDelta, PermissionRequest, PromptResolved, Question, SessionReady, SessionState, Status,
    TaskUpdate, ToolResult, ToolUse, TurnResult, UserMessage, UserMessageCancelled,
};

/// One event of a session's stream (`docs/protocol.md`, Events).
///
/// ```
/// use agent_webkit::proto::client::{Piece, ServerEvent};
///
/// let data = r#"{"message_id":"m1","delta":{"type":"text","text":"Hel"}}"#;
/// let ServerEvent::MessageDelta(piece) = ServerEvent::parse("message_delta", data)? else { panic!() };
/// assert_eq!(piece.delta, Piece::Text { text: "Hel".into() });
///
/// let later = ServerEvent::parse("of_a_later_version", r#"{"n":1}"#)?;
/// assert!(matches!(later, ServerEvent::Other { name, .. } if name == "of_a_later_version"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ServerEvent {
    /// The session is ready.
    SessionReady(SessionReady),
    /// A user's message.
    UserMessage(UserMessage),
    /// A user's message that was withdrawn.
    UserMessageCancelled(UserMessageCancelled),
    /// Files that were put back.
    FilesRewound(FilesRewound),
    /// A piece of a message.
    MessageDelta(MessageDelta),
    /// A message with all its blocks so far.
    MessageComplete(MessageComplete),
    /// A tool call.
    ToolUse(ToolUse),
    /// The outcome of a tool call.
    ToolResult(ToolResult),
    /// A request for permission to run a tool.
    PermissionRequest(PermissionRequest),
    /// Questions with options.
    AskUserQuestion(Question),
    /// A request for the decision of a hook.
    HookDecisionRequest(HookDecisionRequest),
    /// An MCP server asks the user.
    ElicitationRequest(ElicitationRequest),
    /// The end of a prompt.
    PromptResolved(PromptResolved),
    /// The end of a turn.
    Result(TurnResult),
    /// An error.
    Error(Failed),
    /// The status of an MCP server.
    McpStatusChange(McpStatusChange),
    /// An update of a background task.
    TaskUpdate(TaskUpdate),
    /// A status of the agent or the session.
    Status(Status),
    /// The state of the session.
    SessionState(SessionState),
    /// The end of the session and of its stream.
    Done(Members),
    /// An event with a name that this version does not know.
    Other {
        /// Its name.
        name: String,
        /// Its data.
        data: Value,
    },
}

impl ServerEvent {
    /// Parses an event from the `event` and `data` fields of its frame.
    ///
    /// # Errors
    /// The data is not JSON, or does not have the members of an event with this name.
    pub fn parse(name: &str, data: &str) -> Result<Self, serde_json::Error> {
        fn read<T: DeserializeOwned>(
            data: &str,
            event: fn(T) -> ServerEvent,
        ) -> Result<ServerEvent, serde_json::Error> {
            serde_json::from_str(data).map(event)
        }
        match name {
            "session_ready" => read(data, Self::SessionReady),
            "user_message" => read(data, Self::UserMessage),
            "user_message_cancelled" => read(data, Self::UserMessageCancelled),
            "files_rewound" => read(data, Self::FilesRewound),
            "message_delta" => read(data, Self::MessageDelta),
            "message_complete" => read(data, Self::MessageComplete),
            "tool_use" => read(data, Self::ToolUse),
            "tool_result" => read(data, Self::ToolResult),
            "permission_request" => read(data, Self::PermissionRequest),
            "ask_user_question" => read(data, Self::AskUserQuestion),
            "hook_decision_request" => read(data, Self::HookDecisionRequest),
            "elicitation_request" => read(data, Self::ElicitationRequest),
            "prompt_resolved" => read(data, Self::PromptResolved),
            "result" => read(data, Self::Result),
            "error" => read(data, Self::Error),
            "mcp_status_change" => read(data, Self::McpStatusChange),
            "task_update" => read(data, Self::TaskUpdate),
            "status" => read(data, Self::Status),
            "session_state" => read(data, Self::SessionState),
            "done" => read(data, Self::Done),
            other => Ok(Self::Other { name: other.to_owned(), data: serde_json::from_str(data)? }),
        }
    }

    /// The event's name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::SessionReady(_) => "session_ready",
            Self::UserMessage(_) => "user_message",
            Self::UserMessageCancelled(_) => "user_message_cancelled",
            Self::FilesRewound(_) => "files_rewound",
            Self::MessageDelta(_) => "message_delta",
            Self::MessageComplete(_) => "message_complete",
            Self::ToolUse(_) => "tool_use",
            Self::ToolResult(_) => "tool_result",
            Self::PermissionRequest(_) => "permission_request",
            Self::AskUserQuestion(_) => "ask_user_question",
            Self::HookDecisionRequest(_) => "hook_decision_request",
            Self::ElicitationRequest(_) => "elicitation_request",
            Self::PromptResolved(_) => "prompt_resolved",
            Self::Result(_) => "result",
            Self::Error(_) => "error",
            Self::McpStatusChange(_) => "mcp_status_change",
            Self::TaskUpdate(_) => "task_update",
            Self::Status(_) => "status",
            Self::SessionState(_) => "session_state",
            Self::Done(_) => "done",
            Self::Other { name, .. } => name,
        }
    }

    /// The event's data as JSON, with every member that [`parse`](Self::parse) has read.
    #[must_use]
    pub fn data(&self) -> Value {
        match self {
            Self::SessionReady(event) => write(event),
            Self::UserMessage(event) => write(event),
            Self::UserMessageCancelled(event) => write(event),
            Self::FilesRewound(event) => write(event),
            Self::MessageDelta(event) => write(event),
            Self::MessageComplete(event) => write(event),
            Self::ToolUse(event) => write(event),
            Self::ToolResult(event) => write(event),
            Self::PermissionRequest(event) => write(event),
            Self::AskUserQuestion(event) => write(event),
            Self::HookDecisionRequest(event) => write(event),
            Self::ElicitationRequest(event) => write(event),
            Self::PromptResolved(event) => write(event),
            Self::Result(event) => write(event),
            Self::Error(event) => write(event),
            Self::McpStatusChange(event) => write(event),
            Self::TaskUpdate(event) => write(event),
            Self::Status(event) => write(event),
            Self::SessionState(event) => write(event),
            Self::Done(event) => write(event),
            Self::Other { data, .. } => data.clone(),
        }
    }
}

fn write(event: &impl Serialize) -> Value {
    serde_json::to_value(event).expect("keys are strings")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::proto::client::Piece;

    #[test]
    fn unknown_members_are_kept() {
        for (name, data) in [
            ("session_ready", json!({"session_id": "s", "protocol_version": "1.0", "new": [1]})),
            (
                "tool_use",
                json!({"message_id": "m", "tool_use_id": "t", "tool_name": "B", "input": {}, "new": null}),
            ),
            ("result", json!({"session_id": "s", "subtype": "success", "usage": {"n": 1.5e-7}})),
            ("done", json!({"new": true})),
            ("of_a_later_version", json!({"a": [{}]})),
        ] {
            let event = ServerEvent::parse(name, &data.to_string()).unwrap();
            assert_eq!((event.name(), event.data()), (name, data));
        }
    }

    #[test]
    fn a_piece_of_a_new_kind_is_kept() {
        let data = json!({"message_id": "m", "delta": {"type": "citation", "n": 1}});
        let event = ServerEvent::parse("message_delta", &data.to_string()).unwrap();
        assert!(matches!(&event, ServerEvent::MessageDelta(MessageDelta { delta: Piece::Other(_), .. })));
        assert_eq!(event.data(), data);
    }

    #[test]
    fn what_lacks_a_member_is_refused() {
        let error = ServerEvent::parse("tool_result", r#"{"tool_use_id":"t","is_error":false}"#).unwrap_err();
        assert!(error.to_string().contains("output"), "{error}");
        assert!(ServerEvent::parse("done", "[]").is_err());
    }
}
