//! The interface to agents.
//!
//! An agent backend is a [`tower::Service`] that starts one agent for a [`SessionSpec`] and returns the
//! channels to and from it, [`AgentIo`]. Tower layers around it add start limits, timeouts and retries.

use std::{path::PathBuf, sync::Arc};

use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tower::{BoxError, Service};

use crate::{
    proto::{AgentCommand, AgentEvent, Wakeup},
    storage::transcripts::AnyTranscriptStore,
};

/// Describes the agent to start.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionSpec {
    /// The session's id: a v4 uuid in its usual form.
    pub session_id: String,
    /// The working directory, inside an allowed workspace.
    pub cwd: PathBuf,
    /// The name of the principal that the session belongs to, if the server authenticates its callers. For an agent that
    /// is started before its session, [`AgentCommand::SetOwner`] names it.
    pub owner: Option<Arc<str>>,
    /// The set of options to use, by the host's name for it; `None` for the backend's default.
    pub profile: Option<String>,
    /// The model; `None` for the backend's default.
    pub model: Option<String>,
    /// The permission mode; `None` for the backend's default.
    pub permission_mode: Option<String>,
    /// If that mode is `plan`: the mode that an approved plan returns to; `None` for the backend's default.
    pub mode_before_plan: Option<String>,
    /// The effort that was chosen in the session; `None` for the backend's default.
    pub effort: Option<String>,
    /// The permission updates that the session was granted for its whole life, in the CLI's form.
    pub permissions: Vec<Box<RawValue>>,
    /// The prompts that an earlier agent of the session asked and that are not settled, or whose answer it did
    /// not get. The agent has to ask them again, under the same ids.
    pub open_prompts: Vec<String>,
    /// The wake-ups that earlier agents of the session scheduled.
    pub wakeups: Vec<Wakeup>,
    /// Whether to continue the session's stored conversation, if there is one.
    pub resume: bool,
    /// The conversation that the session begins with, which the agent has to copy. Only for the first agent of a session
    /// that was forked; `resume` is true then.
    pub fork: Option<Fork>,
    /// The transcript store for this agent. The service sets it when it has storage.
    pub transcripts: Option<AnyTranscriptStore>,
    /// Whether the mode `bypassPermissions` may be selected, at the start or later. The service sets it
    /// from its [`Policy`](crate::service::Policy).
    pub allow_bypass: bool,
    /// Whether to report the costs of a turn before its end, as [`AgentEvent::Cost`]. The service sets it when there is a
    /// budget.
    pub report_cost: bool,
    /// Whether the agent may write to the operator's settings, which other agents read. The service sets it
    /// from its [`Policy`](crate::service::Policy).
    pub share_settings: bool,
}

impl SessionSpec {
    /// Describes an agent for a new session in `cwd`, with the backend's defaults.
    #[must_use]
    pub fn new(session_id: impl Into<String>, cwd: impl Into<PathBuf>) -> Self {
        Self {
            session_id: session_id.into(),
            cwd: cwd.into(),
            owner: None,
            profile: None,
            model: None,
            permission_mode: None,
            mode_before_plan: None,
            effort: None,
            permissions: Vec::new(),
            open_prompts: Vec::new(),
            wakeups: Vec::new(),
            resume: false,
            fork: None,
            transcripts: None,
            allow_bypass: false,
            report_cost: false,
            share_settings: false,
        }
    }
}

/// A backend's error, or a source of it, where the spec names a profile that there is not. The answer to
/// `POST /sessions` is then 422.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no profile {0:?}")]
pub struct UnknownProfile(pub String);

/// The beginning of another session's conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fork {
    /// The other session's id.
    pub session_id: String,
    /// The uuid of the last user's message whose turn is part of it.
    pub message_uuid: Option<String>,
    /// The id of the last message of the agent that is part of it.
    pub message_id: Option<String>,
}

impl Fork {
    /// A fork of this session without a turn.
    #[must_use]
    pub fn new(session_id: impl Into<String>) -> Self {
        Self { session_id: session_id.into(), message_uuid: None, message_id: None }
    }
}

/// The channels to and from a started agent.
///
/// Dropping `commands` asks the agent to end. The backend waits for its grace period, then kills the agent
/// and every process that it started. Once none of them is left, `events` yields [`AgentEvent::Exited`] and
/// ends.
#[derive(Debug)]
pub struct AgentIo {
    /// Commands to the agent. The channel is bounded; the session has a queue of its own and never waits
    /// for room.
    pub commands: mpsc::Sender<AgentCommand>,
    /// Events from the agent.
    pub events: mpsc::Receiver<AgentEvent>,
}

/// A service that starts agents: any `Service<SessionSpec, Response = AgentIo>`.
///
/// An error means that the agent could not be started; its text is sent to the client.
///
/// An agent that ends every turn at once, as a `tower::service_fn`:
///
/// ```
/// use std::convert::Infallible;
///
/// use agent_webkit::{
///     agent::{Agent, AgentIo, SessionSpec},
///     proto::{AgentCommand, AgentEvent, TurnEnd},
/// };
/// use tokio::sync::mpsc;
///
/// async fn start(_: SessionSpec) -> Result<AgentIo, Infallible> {
///     let (commands, mut heard) = mpsc::channel(8);
///     let (say, events) = mpsc::channel(8);
///     tokio::spawn(async move {
///         while let Some(command) = heard.recv().await {
///             if let AgentCommand::User { .. } = command {
///                 let end = TurnEnd {
///                     subtype: "success".into(),
///                     turn_cost_usd: Some(0.0),
///                     process_cost_usd: None,
///                     unprompted: false,
///                     extra: Vec::new(),
///                 };
///                 if say.send(AgentEvent::TurnEnded(end)).await.is_err() {
///                     break;
///                 }
///             }
///         }
///     });
///     Ok(AgentIo { commands, events })
/// }
///
/// fn is_an_agent(_: impl Agent) {}
/// is_an_agent(tower::service_fn(start));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an agent",
    note = "an agent is a `tower::Service<SessionSpec, Response = AgentIo>` that is `Clone + Send + Sync + 'static`, with an error that converts into `BoxError` and a future that is `Send`"
)]
pub trait Agent:
    Service<SessionSpec, Response = AgentIo, Error: Into<BoxError>, Future: Send + 'static>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<T> Agent for T where
    T: Service<SessionSpec, Response = AgentIo, Error: Into<BoxError>, Future: Send + 'static>
        + Clone
        + Send
        + Sync
        + 'static
{
}
