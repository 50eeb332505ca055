//! The data of each event (`docs/protocol.md`, Events).
//!
//! Each type keeps unknown members in `more`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Members of a JSON object.
pub type Members = Map<String, Value>;

/// `session_ready`: the first event of every session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SessionReady {
    /// The session's id.
    pub session_id: String,
    /// [`PROTOCOL_VERSION`](crate::proto::PROTOCOL_VERSION).
    pub protocol_version: String,
    /// Further members.
    #[serde(flatten)]
    pub more: Members,
}

/// `user_message`: a user's message, for the other readers of the session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct UserMessage {
    /// A string or an array of content blocks, as it was sent.
    pub content: Value,
    /// The message's uuid in the transcript.
    pub message_uuid: String,
    /// Further members.
    #[serde(flatten)]
    pub more: Members,
}

/// `user_message_cancelled`: a user's message that was withdrawn before it ran.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct UserMessageCancelled {
    /// The message's uuid.
    pub message_uuid: String,
    /// Further members.
    #[serde(flatten)]
    pub more: Members,
}

/// `files_rewound`: files were put back as they were before a message, or would be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FilesRewound {
    /// The message's uuid.
    pub message_uuid: String,
    /// The paths of the files.
    pub files: Vec<String>,
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// Further members.
    #[serde(flatten)]
    pub more: Members,
}

/// `message_delta`: a piece of a message that is being written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MessageDelta {
    /// The message's id.
    pub message_id: String,
    /// The piece.
    pub delta: Piece,
    /// The tool call that started the sub-agent, if a sub-agent writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_tool_use_id: Option<String>,
    /// Further members.
    #[serde(flatten)]
    pub more: Members,
}

impl MessageDelta {
    /// The text to append, if it is a piece of text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.delta {
            Piece::Text { text } => Some(text),
            _ => None,
        }
    }
}

/// A piece of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Piece {
    /// Text.
    Text {
        /// Text to append.
        text: String,
    },
    /// Thinking.
    Thinking {
        /// Text to append.
        thinking: String,
    },
    /// A piece of a tool call's input.
    InputJsonDelta {
        /// The tool call's id.
        tool_use_id: String,
        /// The tool's name.
        name: String,
        /// A piece of JSON text.
        partial_json: String,
    },
    /// A piece of a kind that this version does not know.
    #[serde(untagged)]
    Other(Value),
}

/// `message_complete`: a message with all its blocks so far. It replaces earlier ones with the same id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MessageComplete {
    /// The message's id.
    pub message_id: String,
    /// The message.
    pub message: WholeMessage,
    /// The tool call that started the sub-agent, if a sub-agent wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_tool_use_id: Option<String>,
    /// The agent gave the message up, and nothing of it is left: `message` has no content.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub abandoned: bool,
    /// Further members.
    #[serde(flatten)]
    pub more: Members,
}

/// A message of the assistant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WholeMessage {
    /// Its id.
    pub id: String,
    /// `assistant`.
    pub role: String,
    /// Its blocks, each with a `type` and every member from the model.
    pub content: Vec<Value>,
    /// `model`, `stop_reason`, `usage` and further members.
    #[serde(flatten)]
    pub more: Members,
}

/// `tool_use`: a tool call, reported once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ToolUse {
    /// The id of the message that contains the call.
    pub message_id: String,
    /// The call's id.
    pub tool_use_id: String,
    /// The tool's name.
    pub tool_name: String,
    /// The tool's input.
    pub input: Value,
    /// The tool call that started the sub-agent, if a sub-agent calls the tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_tool_use_id: Option<String>,
    /// Further members.
    #[serde(flatten)]
    pub more: Members,
}

/// `tool_result`: the outcome of a tool call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ToolResult {
    /// The call's id.
    pub tool_use_id: String,
    /// The tool's output, usually a string or an array of blocks.
    pub output: Value,
    /// Whether the tool failed.
    pub is_error: bool,
    /// The tool call that started the sub-agent, if a sub-agent called the tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_tool_use_id: Option<String>,
    /// Further members.
    #[serde(flatten)]
    pub more: Members,
}

/// `permission_request`: a request for permission to run a tool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PermissionRequest {
    /// The prompt's id, which the answer must carry.
    pub correlation_id: String,
    /// The tool's name.
    pub tool_name: String,
    /// The tool's input.
    pub input: Value,
    /// Further members from the agent: `permission_suggestions`, `description`, `blocked_path`, `agent_id`, …
    pub context: Members,
    /// Further members.
    #[serde(flatten)]
    pub more: Members,
}

/// `ask_user_question`: questions with options.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Question {
    /// The prompt's id, which the answer must carry.
    pub correlation_id: String,
    /// The tool's input: an object whose member `questions` lists them.
    pub questions: Value,
    /// Further members.
    #[serde(flatten)]
    pub more: Members,
}

/// `hook_decision_request`: a request for the decision of a hook.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HookDecisionRequest {
    /// The prompt's id, which the answer must carry.
    pub correlation_id: String,
    /// `PreToolUse` or another.
    pub hook_event: String,
    /// The hook's input.
    pub hook_input: Value,
    /// Further members.
    #[serde(flatten)]
    pub more: Members,
}

/// `elicitation_request`: what an MCP server asks of the user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ElicitationRequest {
    /// The prompt's id, which the answer must carry.
    pub correlation_id: String,
    /// The MCP server's name.
    pub server_name: String,
    /// Its question.
    pub message: String,
    /// `form`: fill in `requested_schema`; `url`: visit `url`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// The JSON schema of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_schema: Option<Value>,
    /// The page to visit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Further members.
    #[serde(flatten)]
    pub more: Members,
}

/// `prompt_resolved`: the end of a prompt. Every prompt has exactly one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PromptResolved {
    /// The prompt's id.
    pub correlation_id: String,
    /// `permission`, `question` or `hook`.
    pub kind: String,
    /// `answered`, `cancelled` or `session_closed`.
    pub outcome: String,
    /// `allow` or `deny`, for an answered permission request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behavior: Option<String>,
    /// Who answered, if it was no client of the session: `policy`, a policy of the server, and nobody was asked; or `link`,
    /// whoever had the link of a webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Further members.
    #[serde(flatten)]
    pub more: Members,
}

/// `result`: the end of a turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TurnResult {
    /// The session's id.
    pub session_id: String,
    /// `success`, `error_during_execution`, …
    pub subtype: String,
    /// The cost of this turn in US dollars, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_cost_usd: Option<f64>,
    /// The cost of the session so far, in US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_cost_usd: Option<f64>,
    /// Further members from the agent: `is_error`, `result`, `usage`, `num_turns`, …
    #[serde(flatten)]
    pub more: Members,
}

/// `error`: an error after which the session continues.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Failed {
    /// A short, stable name: `agent_exited`, `evicted`, …
    pub code: String,
    /// One sentence.
    pub message: String,
    /// Further members.
    #[serde(flatten)]
    pub more: Members,
}

/// `mcp_status_change`: the first status of an MCP server, and every change of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct McpStatusChange {
    /// The server's name.
    pub server_name: String,
    /// `connected`, `failed`, `pending`, …
    pub status: String,
    /// Further members.
    #[serde(flatten)]
    pub more: Members,
}

/// `task_update`: an update of a background task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TaskUpdate {
    /// The task's id.
    pub task_id: String,
    /// `running`, then `completed`, `failed`, `stopped` or `killed`.
    pub status: String,
    /// `tool_use_id`, `description` and further members.
    #[serde(flatten)]
    pub more: Members,
}

/// `status`: a status of the agent or the session, such as `retrying` or `hibernating`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Status {
    /// The status.
    pub status: String,
    /// Further members.
    #[serde(flatten)]
    pub more: Members,
}

/// `session_state`: the state of the session, sent between replayed and live events. Its frame has no `id`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SessionState {
    /// `idle`, `running` or `requires_action`.
    pub status: String,
    /// The open prompts: the data of their events, each with the event's name as `type`.
    pub pending: Vec<Value>,
    /// The sequence number of the oldest event that can be read.
    pub oldest_seq: u64,
    /// The sequence number of the newest event. The state is the one after this event.
    pub as_of_seq: u64,
    /// Further members.
    #[serde(flatten)]
    pub more: Members,
}
