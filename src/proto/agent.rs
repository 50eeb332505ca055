//! What passes between a session and its agent, in terms no backend owns.
//!
//! Payloads that are only relayed stay raw JSON ([`RawValue`]); nothing here is parsed into a tree.

use serde_json::value::RawValue;

/// Raw JSON object members, in order: what a backend passes on without knowing it.
pub type Extra = Vec<(String, Box<RawValue>)>;

/// What the agent says.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AgentEvent {
    /// The agent finished its start-up.
    Ready,
    /// A turn began; also one the agent began by itself.
    TurnStarted {
        /// The mode it runs in, if the agent says so: an approval may have changed it.
        permission_mode: Option<String>,
    },
    /// A piece of a message that is being written.
    Delta {
        /// The message it belongs to.
        message_id: String,
        /// The tool call whose sub-agent writes it.
        parent_tool_use_id: Option<String>,
        /// The piece.
        delta: Delta,
    },
    /// One or more finished content blocks of a message.
    Message(AgentMessage),
    /// The stop reason of a message, known once all its blocks are.
    MessageStopped {
        /// The message.
        message_id: String,
        /// Why it ended.
        stop_reason: Option<String>,
    },
    /// A tool call's outcome.
    ToolResult {
        /// The call.
        tool_use_id: String,
        /// The sub-agent it belongs to.
        parent_tool_use_id: Option<String>,
        /// What the tool gave: any JSON.
        output: Box<RawValue>,
        /// It failed.
        is_error: bool,
    },
    /// The agent asks and waits until [`AgentCommand::Decide`] answers or it withdraws.
    Ask(Ask),
    /// The agent no longer waits for this prompt.
    Withdrawn {
        /// The prompt's id.
        correlation_id: String,
    },
    /// A turn ended.
    TurnEnded(TurnEnd),
    /// An MCP server's status, at first sight and later.
    McpStatus {
        /// The server.
        server_name: String,
        /// The status, as the agent names it.
        status: String,
    },
    /// News of a background task.
    Task {
        /// The task.
        task_id: String,
        /// The status, as the agent names it. `None` when only other members changed.
        status: Option<String>,
        /// Further members.
        extra: Extra,
    },
    /// Something to tell the readers that changes nothing, such as `retrying`.
    Status {
        /// What it does.
        status: String,
        /// Further members.
        extra: Extra,
    },
    /// The answer to a command that carried this id.
    Answer {
        /// The command's id.
        request: u64,
        /// `Err` holds the agent's own words.
        outcome: Result<(), String>,
    },
    /// Something went wrong and the agent goes on.
    Error {
        /// A short, stable name.
        code: String,
        /// One sentence.
        message: String,
    },
    /// Another host serves the session by now. The agent is being ended by force, and what it still said is
    /// not told; [`Exited`](Self::Exited) follows.
    Fenced,
    /// The agent is gone. Nothing comes after this.
    Exited {
        /// One sentence: how it ended, with the end of what it wrote to its error output.
        message: String,
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
        /// The tool call.
        tool_use_id: String,
        /// The tool.
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
    /// The sub-agent that wrote it.
    pub parent_tool_use_id: Option<String>,
    /// The blocks that are new, each a JSON object with a `type`.
    pub blocks: Vec<Box<RawValue>>,
    /// The message's further members (`model`, `stop_reason`, `usage`, …), without `id`, `role` and `content`.
    pub extra: Extra,
}

/// What a prompt is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AskKind {
    /// May this tool run?
    Permission,
    /// A question with options.
    Question,
    /// A hook's decision.
    Hook,
}

impl AskKind {
    /// The event in which clients get such a prompt.
    pub(super) const fn event_name(self) -> &'static str {
        match self {
            Self::Permission => "permission_request",
            Self::Question => "ask_user_question",
            Self::Hook => "hook_decision_request",
        }
    }

    pub(super) fn of_event(name: &str) -> Option<Self> {
        [Self::Permission, Self::Question, Self::Hook].into_iter().find(|kind| kind.event_name() == name)
    }
}

/// A prompt: the agent waits for someone's answer.
#[derive(Clone, Debug)]
pub struct Ask {
    /// What it is about.
    pub kind: AskKind,
    /// Its id on the wire: the tool call's id where there is one.
    pub correlation_id: String,
    /// The tool, or the hook's event name.
    pub name: String,
    /// The tool's or the hook's input.
    pub input: Box<RawValue>,
    /// Everything else the agent told about it.
    pub context: Extra,
}

/// The end of a turn.
#[derive(Clone, Debug)]
pub struct TurnEnd {
    /// `success`, `error_during_execution`, …
    pub subtype: String,
    /// What this turn cost, in US dollars, where the agent says so.
    pub turn_cost_usd: Option<f64>,
    /// What the agent's process has cost so far, in US dollars; cumulative. Used where the turn's own cost
    /// is not known.
    pub process_cost_usd: Option<f64>,
    /// The agent began this turn by itself: it answers none of our messages.
    pub unprompted: bool,
    /// Further members, without `subtype`, `session_id` and `total_cost_usd`.
    pub extra: Extra,
}

/// What the session tells the agent.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AgentCommand {
    /// A user's message: a JSON string or an array of content blocks.
    User {
        /// The content.
        content: Box<RawValue>,
        /// The message's uuid, the one clients are told.
        message_uuid: String,
    },
    /// Stop the running turn.
    Interrupt,
    /// The answer to an [`Ask`].
    Decide {
        /// The prompt's id.
        correlation_id: String,
        /// The answer.
        decision: Decision,
    },
    /// Changes the permission mode; answered.
    SetPermissionMode {
        /// Names the answer.
        request: u64,
        /// The mode.
        mode: String,
    },
    /// Changes the model; answered.
    SetModel {
        /// Names the answer.
        request: u64,
        /// The model, or the default one.
        model: Option<String>,
    },
    /// Stops a background task; answered.
    StopTask {
        /// Names the answer.
        request: u64,
        /// The task.
        task_id: String,
    },
    /// End at once, by force: nothing is finished and nothing more is stored. A backend that cannot may end as
    /// if its commands were dropped.
    Abort,
}

/// Someone's answer to an [`Ask`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Decision {
    /// Go on.
    Allow {
        /// The input to run with. The backend puts the original one where it is needed and this is `None`.
        updated_input: Option<Box<RawValue>>,
        /// Rules to keep: a JSON array.
        updated_permissions: Option<Box<RawValue>>,
    },
    /// Do not.
    Deny {
        /// What the model is told.
        message: Option<String>,
        /// Stop the turn as well.
        interrupt: bool,
    },
    /// A hook's output: a JSON object.
    Hook(Box<RawValue>),
}
