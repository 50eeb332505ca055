//! New sessions, and those that exist.

use std::{path::PathBuf, sync::Arc};

use uuid::Uuid;

use super::SessionHandle;
use crate::{
    agent::SessionSpec,
    layers::resume::EventLog,
    proto::{CreateSession, Invalid, client::SessionInfo},
    service::{
        error::SessionError,
        registry::sessions::{NewAgent, Sessions},
    },
};

/// A session to create, for [`Sessions::create`]. What is not chosen has the default of `POST /sessions`.
///
/// ```
/// use agent_webkit::service::NewSession;
///
/// let new = NewSession::new().owner("ada").cwd("reports").permission_mode("plan").title("The report of June");
/// # drop(new);
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct NewSession {
    owner: Option<Arc<str>>,
    cwd: Option<PathBuf>,
    model: Option<String>,
    permission_mode: Option<String>,
    title: Option<String>,
}

impl NewSession {
    /// A session without an owner, in the first workspace, with the agent's default model and mode.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the owner: the name of the principal that sees it over HTTP. Without one, only callers without a name see
    /// it.
    #[must_use]
    pub fn owner(mut self, name: impl Into<Arc<str>>) -> Self {
        self.owner = Some(name.into());
        self
    }

    /// Sets the agent's working directory, inside a workspace of the policy. A relative path starts in the first
    /// workspace.
    #[must_use]
    pub fn cwd(mut self, directory: impl Into<PathBuf>) -> Self {
        self.cwd = Some(directory.into());
        self
    }

    /// Sets the model.
    #[must_use]
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// Sets the permission mode: `default`, `plan`, `acceptEdits`, `dontAsk`, `auto`, or `bypassPermissions` if the
    /// policy allows it.
    #[must_use]
    pub fn permission_mode(mut self, mode: impl Into<String>) -> Self {
        self.permission_mode = Some(mode.into());
        self
    }

    /// Sets the title in lists. By default it is the beginning of the first message.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// Checks the members as those of a request body are.
    fn check(self) -> Result<CreateSession, SessionError> {
        let cwd = match self.cwd.map(|cwd| cwd.into_os_string().into_string()) {
            None => None,
            Some(Ok(cwd)) => Some(cwd),
            Some(Err(_)) => return Err(SessionError::unprocessable("cwd must be a path in UTF-8")),
        };
        let Self { model, permission_mode, title, .. } = self;
        let body = CreateSession { model, permission_mode, cwd, title };
        parse_new(&serde_json::to_vec(&body).expect("made of strings"))
    }
}

/// Parses the body of `POST /sessions`.
pub(crate) fn parse_new(body: &[u8]) -> Result<CreateSession, SessionError> {
    CreateSession::parse(body).map_err(|invalid| match invalid {
        Invalid::Field(_) => SessionError::unprocessable(invalid.to_string()),
        _ => SessionError::invalid(invalid.to_string()),
    })
}

impl<L: EventLog> Sessions<L> {
    /// Creates a session, as `POST /sessions` does: with the same policy, limits and storage, and with an agent that
    /// was started ahead where there is one. Returns once the agent is started, without waiting until it is ready.
    ///
    /// If the returned future is dropped before that, the session is cancelled. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`Unprocessable`](SessionError::Unprocessable) and [`Invalid`](SessionError::Invalid): a member is invalid;
    /// [`Denied`](SessionError::Denied): the policy forbids the directory or the mode;
    /// [`Unavailable`](SessionError::Unavailable): there are too many sessions, the agent cannot be started, the
    /// storage is not available, or the server is shutting down.
    pub async fn create(&self, mut new: NewSession) -> Result<SessionHandle<L>, SessionError> {
        self.start_tasks();
        let owner = new.owner.take();
        self.create_as_wanted(new.check()?, owner).await
    }

    /// Returns the session with this id, if it is in memory and belongs to the caller with this name.
    #[must_use]
    pub fn get(&self, id: &str, caller: Option<&str>) -> Option<SessionHandle<L>> {
        let live = self.in_memory(id).filter(|session| session.is_visible_to(caller))?;
        Some(SessionHandle::new(live, self.clone()))
    }

    /// Returns the caller's session with this id. A stored session that is not in memory is restored, without an agent
    /// until one is needed.
    ///
    /// # Errors
    /// [`TakenOver`](SessionError::TakenOver): another host serves the session;
    /// [`Unavailable`](SessionError::Unavailable): the storage is not available, there are too many sessions, or the
    /// server is shutting down.
    pub async fn find(
        &self,
        id: &str,
        caller: Option<&str>,
    ) -> Result<Option<SessionHandle<L>>, SessionError> {
        let live = self.find_live(id, caller).await?;
        Ok(live.map(|live| SessionHandle::new(live, self.clone())))
    }

    /// Returns the caller's sessions that are in memory, oldest first.
    #[must_use]
    pub fn list(&self, caller: Option<&str>) -> Vec<SessionHandle<L>> {
        self.live(caller).into_iter().map(|live| SessionHandle::new(live, self.clone())).collect()
    }

    /// Describes the caller's sessions, in memory or stored, oldest first. It restores none of them.
    ///
    /// # Errors
    /// [`Unavailable`](SessionError::Unavailable): the storage is not available.
    pub async fn list_stored(&self, caller: Option<&str>) -> Result<Vec<SessionInfo>, SessionError> {
        let described = self.describe_all(caller).await?;
        Ok(described.iter().map(|json| super::info(json)).collect())
    }

    /// Creates a session for this owner, if the policy allows it.
    pub(crate) async fn create_as_wanted(
        &self,
        wanted: CreateSession,
        owner: Option<Arc<str>>,
    ) -> Result<SessionHandle<L>, SessionError> {
        let title = wanted.title.clone();
        let spec = SessionSpec { owner: owner.clone(), ..self.permitted(wanted).await? };
        let slot = self.reserve().await?;
        let new = NewAgent { spec, owner, title };
        let live = self.starter().create(self.clone(), new, slot).await?;
        Ok(SessionHandle::new(live, self.clone()))
    }

    /// Builds the spec of the agent to start, if the policy allows it.
    async fn permitted(&self, wanted: CreateSession) -> Result<SessionSpec, SessionError> {
        let policy = self.policy();
        let CreateSession { model, permission_mode, cwd, title: _ } = wanted;
        if let Some(mode) = &permission_mode {
            policy.start_in(mode).map_err(|denied| SessionError::Denied(denied.to_string()))?;
        }
        let cwd = match cwd {
            // The default directory is resolved already, so this reads no file.
            None => policy.directory(None),
            Some(cwd) => {
                let policy = policy.clone();
                tokio::task::spawn_blocking(move || policy.directory(Some(&cwd)))
                    .await
                    .map_err(|_| SessionError::unavailable("cwd could not be checked"))?
            }
        };
        let cwd = cwd.map_err(|denied| SessionError::Denied(denied.to_string()))?;
        Ok(SessionSpec { model, permission_mode, ..self.spec(Uuid::new_v4().to_string(), cwd) })
    }
}
