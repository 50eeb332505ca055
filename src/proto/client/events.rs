//! The data of each event (`docs/protocol.md`, Events).
//!
//! Each keeps the members that it does not know in `more`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Members of a JSON object.
pub type Members = Map<String, Value>;

/// `session_ready`: the first event of every session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SessionReady {
    /// The session.
    pub session_id: String,
    /// [`PROTOCOL_VERSION`](crate::proto::PROTOCOL_VERSION).
    pub protocol_version: String,
    /// Further members.
    #[serde(flatten)]
    pub more: Members,
}

/// `user_message`: what was asked, for those who watch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct UserMessage {
    /// A string or an array of content blocks, as it was sent.
    pub content: Value,
    /// The message's name in the transcript.
    pub message_uuid: String,
    /// Further members.
    #[serde(flatten)]
    pub more: Members,
}

/// `message_delta`: a piece of a message that is being written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MessageDelta {
    /// The message.
    pub message_id: String,
    /// The piece.
    pub delta: Piece,
    /// The tool call whose sub-agent writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_tool_use_id: Option<String>,
    /// Further members.
    #[serde(flatten)]
    pub more: Members,
}

/// A piece of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Piece {
    /// Text.
    Text {
        /// To be put at the end.
        text: String,
    },
    /// Thinking.
    Thinking {
        /// To be put at the end.
        thinking: String,
    },
    /// A piece of a tool call's input.
    InputJsonDelta {
        /// The tool call.
        tool_use_id: String,
        /// The tool.
        name: String,
        /// A piece of JSON text.
        partial_json: String,
    },
    /// A piece of a kind that this version does not know.
    #[serde(untagged)]
    Other(Value),
}

/// `message_complete`: a message with all its blocks so far. The newest one of an id replaces those before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MessageComplete {
    /// The message.
    pub message_id: String,
    /// The message itself.
    pub message: WholeMessage,
    /// The tool call whose sub-agent wrote it.
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
    /// Its blocks, each with a `type` and every member that the model gave.
    pub content: Vec<Value>,
    /// `model`, `stop_reason`, `usage` and what else there is.
    #[serde(flatten)]
    pub more: Members,
}

/// `tool_use`: the agent calls a tool. Once per call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ToolUse {
    /// The message that calls.
    pub message_id: String,
    /// The call.
    pub tool_use_id: String,
    /// The tool.
    pub tool_name: String,
    /// What it is called with.
    pub input: Value,
    /// The tool call whose sub-agent calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_tool_use_id: Option<String>,
    /// Further members.
    #[serde(flatten)]
    pub more: Members,
}

/// `tool_result`: what became of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ToolResult {
    /// The call.
    pub tool_use_id: String,
    /// What the tool gave: a string or an array of blocks, mostly.
    pub output: Value,
    /// It failed.
    pub is_error: bool,
    /// The tool call whose sub-agent called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_tool_use_id: Option<String>,
    /// Further members.
    #[serde(flatten)]
    pub more: Members,
}

/// `permission_request`: may this tool run?
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PermissionRequest {
    /// The prompt, to answer it by.
    pub correlation_id: String,
    /// The tool.
    pub tool_name: String,
    /// What it would be called with.
    pub input: Value,
    /// What else the agent told: `permission_suggestions`, `description`, `blocked_path`, `agent_id`, …
    pub context: Members,
    /// Further members.
    #[serde(flatten)]
    pub more: Members,
}

/// `ask_user_question`: questions with options.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Question {
    /// The prompt, to answer it by.
    pub correlation_id: String,
    /// The tool's input: an object whose member `questions` lists them.
    pub questions: Value,
    /// Further members.
    #[serde(flatten)]
    pub more: Members,
}

/// `hook_decision_request`: a hook that decides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HookDecisionRequest {
    /// The prompt, to answer it by.
    pub correlation_id: String,
    /// `PreToolUse` or another.
    pub hook_event: String,
    /// What the hook was called with.
    pub hook_input: Value,
    /// Further members.
    #[serde(flatten)]
    pub more: Members,
}

/// `prompt_resolved`: how a prompt ended. Exactly one for each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PromptResolved {
    /// The prompt.
    pub correlation_id: String,
    /// `permission`, `question` or `hook`.
    pub kind: String,
    /// `answered`, `cancelled` or `session_closed`.
    pub outcome: String,
    /// `allow` or `deny`, of a permission that was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behavior: Option<String>,
    /// Further members.
    #[serde(flatten)]
    pub more: Members,
}

/// `result`: a turn has ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TurnResult {
    /// The session.
    pub session_id: String,
    /// `success`, `error_during_execution`, …
    pub subtype: String,
    /// What this turn cost, in US dollars, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_cost_usd: Option<f64>,
    /// What the session has cost so far, in US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_cost_usd: Option<f64>,
    /// What else the agent told: `is_error`, `result`, `usage`, `num_turns`, …
    #[serde(flatten)]
    pub more: Members,
}

/// `error`: something went wrong; the session goes on.
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

/// `mcp_status_change`: an MCP server, at first sight and at every change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct McpStatusChange {
    /// The server.
    pub server_name: String,
    /// `connected`, `failed`, `pending`, …
    pub status: String,
    /// Further members.
    #[serde(flatten)]
    pub more: Members,
}

/// `task_update`: news of a background task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TaskUpdate {
    /// The task.
    pub task_id: String,
    /// `running`, then `completed`, `failed`, `stopped` or `killed`.
    pub status: String,
    /// `tool_use_id`, `description` and what else there is.
    #[serde(flatten)]
    pub more: Members,
}

/// `status`: what the session does: `retrying`, `hibernating`, …
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Status {
    /// What it does.
    pub status: String,
    /// Further members.
    #[serde(flatten)]
    pub more: Members,
}

/// `session_state`: how the session stands, between replay and live. Its frame has no `id`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SessionState {
    /// `idle`, `running` or `requires_action`.
    pub status: String,
    /// The prompts that wait for an answer: each its event's data, with the event's name as `type`.
    pub pending: Vec<Value>,
    /// The oldest event that can still be had.
    pub oldest_seq: u64,
    /// The newest event; all this is true at it.
    pub as_of_seq: u64,
    /// Further members.
    #[serde(flatten)]
    pub more: Members,
}
