//! Sessions in Rust: what a program that embeds the service does with them. HTTP requests use the same code.

mod elsewhere;
mod events;
mod frames;
mod input;
mod looks;
mod new;
mod send;

use std::{fmt, path::Path, time::SystemTime};

use serde_json::value::RawValue;

use crate::{
    layers::resume::{EventLog, RingLog},
    proto::client::SessionInfo,
    service::{error::SessionError, registry::sessions::Sessions, session::place::Place},
};

pub use self::{events::SessionEvents, frames::SessionEvent, new::NewSession, send::NewMessage};
pub(crate) use self::{
    input::{Input, Wait, idempotency_key},
    new::parse_new,
};

/// A session, cheap to clone: messages go in, events come out.
///
/// Rust code and HTTP clients can use the same session at the same time: they share its queue, its event log, its
/// policy and its storage, and the first answer to a prompt wins. A handle does not keep its session in memory. What
/// is called on it restores a stored session that has left memory; other sessions end with
/// [`SessionError::NotFound`].
///
/// [`Sessions::create`], [`Sessions::find`] and [`Sessions::list`] return handles. In a stack, the lookup layer puts
/// one into the request's extensions as `Resolved<SessionHandle>`.
///
/// ```
/// use agent_webkit::{Stack, layers::auth::Disabled, proto::client::ServerEvent, service::{NewSession, Policy}};
/// use agent_webkit::layers::resume::Cursor;
/// # use agent_webkit::{agent::{AgentIo, SessionSpec}, proto::{AgentCommand, AgentEvent, TurnEnd}};
/// # async fn agent(_: SessionSpec) -> Result<AgentIo, std::convert::Infallible> {
/// #     let (commands, mut heard) = tokio::sync::mpsc::channel(8);
/// #     let (say, events) = tokio::sync::mpsc::channel(8);
/// #     tokio::spawn(async move {
/// #         while let Some(command) = heard.recv().await {
/// #             let end = TurnEnd {
/// #                 subtype: "success".into(), turn_cost_usd: None, process_cost_usd: None, unprompted: false, extra: vec![],
/// #             };
/// #             if let AgentCommand::User { .. } = command { let _ = say.send(AgentEvent::TurnEnded(end)).await; }
/// #         }
/// #     });
/// #     Ok(AgentIo { commands, events })
/// # }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let agent = tower::service_fn(agent);
/// let stack = Stack::builder(agent, Policy::new(["."])?).auth(Disabled).build();
/// let session = stack.sessions().create(NewSession::new()).await?;
/// let mut events = session.events(Cursor::Oldest);
/// session.send("What is in this folder?").await?;
/// while let Some(event) = events.next().await {
///     match event?.event {
///         ServerEvent::PermissionRequest(asked) => session.deny(asked.correlation_id, "not now").await?,
///         // The last event of the session, `done`, ends the loop.
///         ServerEvent::Result(_) => session.close().await?,
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub struct SessionHandle<L: EventLog = RingLog> {
    place: Place<L>,
    sessions: Sessions<L>,
}

impl<L: EventLog> SessionHandle<L> {
    pub(crate) fn new(place: Place<L>, sessions: Sessions<L>) -> Self {
        Self { place, sessions }
    }

    /// The session's id.
    #[must_use]
    pub fn id(&self) -> &str {
        self.place.id()
    }

    /// The name of the principal that owns it, if it has an owner.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        self.place.owner()
    }

    /// The agent's working directory.
    #[must_use]
    pub fn cwd(&self) -> &Path {
        self.place.cwd()
    }

    /// When it was created.
    #[must_use]
    pub fn created_at(&self) -> SystemTime {
        self.place.created_at()
    }

    /// The session's event stream, as the event log has it: the one of this process, or the one that it follows while
    /// another host runs the session. [`SessionHandle::events`] reads it.
    #[must_use]
    pub fn stream(&self) -> &L::Stream {
        self.place.stream()
    }

    /// Describes the session as `GET /sessions/{id}` does, with its open prompts. The description covers all events
    /// that a reader may have received before the call.
    ///
    /// # Errors
    /// [`NotFound`](SessionError::NotFound), and those of [`Sessions::find`].
    pub async fn state(&self) -> Result<SessionInfo, SessionError> {
        Ok(info(&self.current().await?.describe().await?))
    }

    /// Ends and deletes the session, as `DELETE /sessions/{id}` does: its prompts settle and its streams end with
    /// `done`. Does nothing if it has ended.
    ///
    /// # Errors
    /// [`Unavailable`](SessionError::Unavailable): the storage is not available.
    pub async fn close(&self) -> Result<(), SessionError> {
        self.sessions.remove(self.id(), self.owner()).await
    }

    /// Where the session was when this handle was made.
    pub(crate) fn place(&self) -> &Place<L> {
        &self.place
    }

    /// Describes the session, with its open prompts, from where it was when this handle was made.
    pub(crate) async fn describe(&self) -> Result<Box<RawValue>, SessionError> {
        match &self.place {
            Place::Here(live) => Ok(live.describe(true).await),
            Place::Elsewhere(remote) => self.sessions.describe_stored(&remote.record.id).await,
        }
    }

    /// The session where it is now, restored if it is nowhere.
    async fn current(&self) -> Result<Self, SessionError> {
        let found = self.sessions.find(self.id(), self.owner()).await?;
        found.ok_or(SessionError::NotFound)
    }
}

/// Reads a session's own description.
fn info(json: &RawValue) -> SessionInfo {
    serde_json::from_str(json.get()).expect("every description has these members")
}

impl<L: EventLog> Clone for SessionHandle<L> {
    fn clone(&self) -> Self {
        Self { place: self.place.clone(), sessions: self.sessions.clone() }
    }
}

impl<L: EventLog> fmt::Debug for SessionHandle<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionHandle").field("id", &self.id()).field("owner", &self.owner()).finish()
    }
}
