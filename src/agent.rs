//! The seam to an agent: what a backend is.
//!
//! A backend is a [`tower::Service`] that starts one agent for a [`SessionSpec`] and gives its two ends,
//! [`AgentIo`]. Start limits, timeouts and retries are stock tower layers around it.

use std::path::PathBuf;

use tokio::sync::mpsc;
use tower::{BoxError, Service};

use crate::{
    proto::{AgentCommand, AgentEvent},
    storage::transcripts::AnyTranscriptStore,
};

/// What to start.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionSpec {
    /// The session's id: a v4 uuid in its usual form.
    pub session_id: String,
    /// Where it works; inside an allowed workspace.
    pub cwd: PathBuf,
    /// The model, or the backend's default.
    pub model: Option<String>,
    /// The permission mode, or the backend's default.
    pub permission_mode: Option<String>,
    /// The session may have a past: go on with its conversation if there is one.
    pub resume: bool,
    /// Where the agent keeps what it remembers. The service sets it, where it has storage.
    pub transcripts: Option<AnyTranscriptStore>,
    /// Whether the mode `bypassPermissions` may be chosen, now or later. The service sets it from its
    /// [`Policy`](crate::service::Policy).
    pub allow_bypass: bool,
}

impl SessionSpec {
    /// A session of this id that starts anew in `cwd`, with the backend's defaults.
    #[must_use]
    pub fn new(session_id: impl Into<String>, cwd: impl Into<PathBuf>) -> Self {
        Self {
            session_id: session_id.into(),
            cwd: cwd.into(),
            model: None,
            permission_mode: None,
            resume: false,
            transcripts: None,
            allow_bypass: false,
        }
    }
}

/// The two ends of a started agent.
///
/// Dropping `commands` asks the agent to end: the backend lets it finish within its grace time, then
/// ends it by force with everything it started. `events` gives [`AgentEvent::Exited`] and then ends
/// once nothing of the agent is left.
#[derive(Debug)]
pub struct AgentIo {
    /// What to do. Bounded; the session holds its own queue and never waits here.
    pub commands: mpsc::Sender<AgentCommand>,
    /// What happens.
    pub events: mpsc::Receiver<AgentEvent>,
}

/// Something that starts agents: any `Service<SessionSpec, Response = AgentIo>`.
///
/// An error means that no agent could be started; its text is shown to the client.
///
/// One that ends every turn at once, with stock tower around it:
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
