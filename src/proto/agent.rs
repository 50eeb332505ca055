//! The events and commands between a session and its agent, independent of the backend.
//!
//! Payloads that are only relayed stay raw JSON ([`RawValue`]); nothing here is parsed into a tree.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Raw members of a JSON object, in order, which a backend relays without interpreting them.
pub type Extra = Vec<(String, Box<RawValue>)>;

/// An event from the agent.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AgentEvent {
    /// The agent has finished its start-up. Of a resumed agent: it has the wake-ups again that outlive a process.
    Ready,
    /// A turn began, either for a user's message or by the agent itself.
    TurnStarted {
        /// The permission mode of the turn, if the agent reports it. An approval may have changed it.
        permission_mode: Option<String>,
    },
    /// The agent changed its permission mode or its model by itself, as a tool or a command of the user made it.
    Changed {
        /// The new permission mode, if it changed.
        permission_mode: Option<String>,
        /// The new model, if it changed.
        model: Option<String>,
        /// The new effort, if it changed.
        effort: Option<Effort>,
    },
    /// The agent scheduled a wake-up, or changed the one with this id.
    WakeupSet(Wakeup),
    /// A wake-up has come, or was cancelled.
    WakeupGone {
        /// The wake-up's id.
        id: String,
    },
    /// A piece of a message that is being written.
    Delta {
        /// The message's id.
        message_id: String,
        /// The tool call that started the sub-agent, if a sub-agent writes it.
        parent_tool_use_id: Option<String>,
        /// The piece.
        delta: Delta,
    },
    /// One or more finished content blocks of a message.
    Message(AgentMessage),
    /// The stop reason of a message, sent after all its blocks.
    MessageStopped {
        /// The message's id.
        message_id: String,
        /// Why it ended.
        stop_reason: Option<String>,
    },
    /// The outcome of a tool call.
    ToolResult {
        /// The tool call's id.
        tool_use_id: String,
        /// The tool call that started the sub-agent, if a sub-agent called the tool.
        parent_tool_use_id: Option<String>,
        /// The tool's output, any JSON.
        output: Box<RawValue>,
        /// Whether the tool failed.
        is_error: bool,
    },
    /// A prompt. The agent waits until [`AgentCommand::Decide`] answers it, or withdraws it.
    Ask(Ask),
    /// A policy on the agent's side has answered a permission request, which clients do not know.
    Decided {
        /// The id that its prompt would have: that of the tool call.
        correlation_id: String,
        /// `allow` or `deny`.
        behavior: String,
    },
    /// The agent no longer waits for this prompt.
    Withdrawn {
        /// The prompt's id.
        correlation_id: String,
    },
    /// A turn ended.
    TurnEnded(TurnEnd),
    /// The status of an MCP server, new or changed.
    McpStatus {
        /// The server's name.
        server_name: String,
        /// The status, as the agent names it.
        status: String,
    },
    /// An update of a background task.
    Task {
        /// The task's id.
        task_id: String,
        /// The status, as the agent names it. `None` when only other members changed.
        status: Option<String>,
        /// Further members.
        extra: Extra,
    },
    /// A status for readers that does not change the session, such as `retrying`.
    Status {
        /// The status.
        status: String,
        /// Further members.
        extra: Extra,
    },
    /// The answer to a command.
    Answer {
        /// The `request` of the command.
        request: u64,
        /// The outcome; `Err` holds the agent's error text.
        outcome: Result<(), String>,
    },
    /// What the agent's process has cost so far, in US dollars, while a turn runs or before its first one. The first
    /// report of a process is what earlier ones have cost.
    Cost {
        /// The total.
        process_cost_usd: f64,
    },
    /// The answer to [`AgentCommand::Rewind`]. A refusal is an [`AgentEvent::Answer`].
    FilesRewound {
        /// The `request` of the command.
        request: u64,
        /// The paths of the files.
        files: Vec<String>,
    },
    /// The answer to [`AgentCommand::Look`]. A refusal is an [`AgentEvent::Answer`].
    Looked {
        /// The `request` of the command.
        request: u64,
        /// What the agent has: an array, or of [`Look::Context`] an object.
        found: Box<RawValue>,
    },
    /// An error after which the agent continues.
    Error {
        /// A short, stable name.
        code: String,
        /// One sentence.
        message: String,
    },
    /// Another host has taken over the session. The agent is being ended by force and its remaining events
    /// are dropped; [`Exited`](Self::Exited) follows.
    Fenced,
    /// The agent has ended. No event follows.
    Exited {
        /// One sentence on how it ended, with the end of its error output.
        message: String,
    },
}

/// How hard the model is to think.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effort {
    /// As configured.
    Default,
    /// An effort as the agent names it.
    Of(String),
}

/// A time at which the agent begins a turn by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wakeup {
    /// The agent's id for it.
    pub id: String,
    /// The v4 uuid of the message that stands in for it, if no agent is left that knows it.
    pub message_uuid: String,
    /// When it comes, in milliseconds since the Unix epoch. Of a repeated one, the earliest time.
    pub at_ms: u64,
    /// What the agent is to do.
    pub prompt: String,
    /// Whether a message that stands in for it is for the model alone, as in [`AgentCommand::User`].
    pub verbatim: bool,
    /// What becomes of it when the agent ends.
    pub kind: WakeupKind,
}

/// What becomes of a wake-up when the agent ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WakeupKind {
    /// It ends with the agent's process.
    OfProcess,
    /// A later agent has it again, if it starts before the time.
    OfSession,
    /// A later agent has it again, and deals by itself with a time that has passed.
    Lasting {
        /// When it comes, in the agent's notation, if more than once.
        schedule: Option<String>,
    },
}

/// A piece of a message.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Delta {
    /// Text; the value is a JSON string.
    Text(Box<RawValue>),
    /// Thinking; the value is a JSON string.
    Thinking(Box<RawValue>),
    /// A piece of a tool call's input.
    InputJson {
        /// The tool call's id.
        tool_use_id: String,
        /// The tool's name.
        name: String,
        /// A JSON string that holds a piece of JSON.
        partial_json: Box<RawValue>,
    },
}

impl Delta {
    /// A piece of text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::Text(serde_json::value::to_raw_value(text).expect("a string is always JSON"))
    }
}

/// Finished content blocks of one message of the assistant.
#[derive(Clone, Debug)]
pub struct AgentMessage {
    /// The message's id, the same for all its blocks.
    pub id: String,
    /// The tool call that started the sub-agent, if a sub-agent wrote it.
    pub parent_tool_use_id: Option<String>,
    /// The new blocks, each a JSON object with a `type`.
    pub blocks: Vec<Box<RawValue>>,
    /// The message's further members (`model`, `stop_reason`, `usage`, …), without `id`, `role` and `content`.
    pub extra: Extra,
}

/// The kind of a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AskKind {
    /// Permission to run a tool.
    Permission,
    /// A question with options.
    Question,
    /// The decision of a hook.
    Hook,
    /// What an MCP server asks of the user: a form to fill in, or a page to visit.
    Elicitation,
}

impl AskKind {
    /// The name of the event that brings such a prompt to clients.
    pub(super) const fn event_name(self) -> &'static str {
        match self {
            Self::Permission => "permission_request",
            Self::Question => "ask_user_question",
            Self::Hook => "hook_decision_request",
            Self::Elicitation => "elicitation_request",
        }
    }

    pub(crate) fn of_event(name: &str) -> Option<Self> {
        [Self::Permission, Self::Question, Self::Hook, Self::Elicitation]
            .into_iter()
            .find(|kind| kind.event_name() == name)
    }
}

/// A prompt: the agent waits for someone's answer.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The kind of the prompt.
    pub kind: AskKind,
    /// Its id on the wire; the tool call's id, if there is a tool call.
    pub correlation_id: String,
    /// The name of the tool, or of the hook's event.
    pub name: String,
    /// The tool's or the hook's input.
    pub input: Box<RawValue>,
    /// Further members from the agent.
    pub context: Extra,
    /// Whether another agent of the session can ask it again, under the same id.
    pub resumable: bool,
}

/// The end of a turn.
#[derive(Clone, Debug)]
pub struct TurnEnd {
    /// `success`, `error_during_execution`, …
    pub subtype: String,
    /// The cost of this turn in US dollars, if the agent reports it.
    pub turn_cost_usd: Option<f64>,
    /// The cost of the agent's process so far, in US dollars. Used if the turn's own cost is not known.
    pub process_cost_usd: Option<f64>,
    /// Whether the agent began this turn by itself, so that it answers no user's message.
    pub unprompted: bool,
    /// Further members, without `subtype`, `session_id` and `total_cost_usd`.
    pub extra: Extra,
}

/// A command from the session to the agent.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AgentCommand {
    /// A user's message: a JSON string or an array of content blocks.
    User {
        /// The content.
        content: Box<RawValue>,
        /// The message's uuid, as in its `user_message` event.
        message_uuid: String,
        /// Whether the text is for the model alone: the agent reads no file that it mentions and runs no
        /// command that it names.
        verbatim: bool,
    },
    /// Stops the running turn.
    Interrupt,
    /// The answer to an [`Ask`].
    Decide {
        /// The prompt's id.
        correlation_id: String,
        /// The answer.
        decision: Decision,
    },
    /// Changes the permission mode. The agent sends an [`AgentEvent::Answer`].
    SetPermissionMode {
        /// The id of the answer.
        request: u64,
        /// The mode.
        mode: String,
    },
    /// Changes the model. The agent sends an [`AgentEvent::Answer`].
    SetModel {
        /// The id of the answer.
        request: u64,
        /// The model; `None` for the default.
        model: Option<String>,
    },
    /// Stops a background task. The agent sends an [`AgentEvent::Answer`].
    StopTask {
        /// The id of the answer.
        request: u64,
        /// The task's id.
        task_id: String,
    },
    /// Withdraws a user's message that the agent has not begun. The agent sends an [`AgentEvent::Answer`].
    CancelMessage {
        /// The id of the answer.
        request: u64,
        /// The message's uuid.
        message_uuid: String,
    },
    /// Puts the files back as they were before a message. The agent sends an [`AgentEvent::FilesRewound`].
    Rewind {
        /// The id of the answer.
        request: u64,
        /// The message's uuid.
        message_uuid: String,
        /// Whether to report the files only, and to change none.
        dry_run: bool,
    },
    /// Reads something of the agent, which changes nothing. The agent sends an [`AgentEvent::Looked`].
    Look {
        /// The id of the answer.
        request: u64,
        /// What to read.
        look: Look,
    },
    /// Says whether anybody reads the session's events. While nobody does, an agent may send several pieces of a message
    /// as one, so that fewer events are stored. Without this command, somebody does.
    Watched {
        /// Whether anybody reads them.
        watched: bool,
    },
    /// Names the owner of the session whose agent this is now. Sent first, to an agent that was started before its
    /// session.
    SetOwner {
        /// The principal that created the session.
        owner: Arc<str>,
    },
    /// Ends the agent at once, by force: nothing is finished and nothing more is stored. A backend that
    /// cannot do this may end as if its command channel were closed.
    Abort,
}

/// What can be read of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Look {
    /// The slash commands that it knows.
    Commands,
    /// The models that it can use.
    Models,
    /// How much of the model's context is used, and by what.
    Context,
    /// Its MCP servers, with their statuses and tools.
    Mcp,
}

impl Look {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Commands, Self::Models, Self::Context, Self::Mcp];

    /// The name on the wire, of the route and of the answer's member.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Commands => "commands",
            Self::Models => "models",
            Self::Context => "context",
            Self::Mcp => "mcp",
        }
    }
}

/// The answer to an [`Ask`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Decision {
    /// Allows the request.
    Allow {
        /// The input to run the tool with; `None` for the original input.
        updated_input: Option<Box<RawValue>>,
        /// Permission rules to add: a JSON array.
        updated_permissions: Option<Box<RawValue>>,
    },
    /// Denies the request.
    Deny {
        /// The reason, for the model.
        message: Option<String>,
        /// Whether to stop the turn as well.
        interrupt: bool,
    },
    /// A hook's output: a JSON object.
    Hook(Box<RawValue>),
    /// The answer to an MCP server: a JSON object with `action` and, if that is `accept`, `content`.
    Elicitation(Box<RawValue>),
}
