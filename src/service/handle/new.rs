//! New sessions, and those that exist.

use std::{path::PathBuf, sync::Arc};

use uuid::Uuid;

use super::SessionHandle;
use crate::{
    agent::SessionSpec,
    layers::resume::EventLog,
    proto::{CreateSession, ForkOf, Invalid, client::SessionInfo},
    service::{
        error::SessionError,
        http::scope::ASKING,
        registry::sessions::{NewAgent, Sessions},
        session::{
            fork::{self, Source},
            place::{Choices, Place},
        },
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
    profile: Option<String>,
    fork_of: Option<ForkOf>,
    budget_usd: Option<f64>,
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

    /// Sets the profile: a set of the agent's options under a name, see
    /// [`Claude::profile`](crate::claude::Claude::profile).
    #[must_use]
    pub fn profile(mut self, name: impl Into<String>) -> Self {
        self.profile = Some(name.into());
        self
    }

    /// Makes it begin as a copy of this session of the same owner, up to and with the turn of the message with this uuid,
    /// or up to the last turn that has ended. It works in the same directory. The profile, the model, the title and a mode that
    /// asks are the other session's unless they are set; permissions that it was granted are not copied.
    #[must_use]
    pub fn fork_of(mut self, session_id: impl Into<String>, after_message_uuid: Option<String>) -> Self {
        self.fork_of = Some(ForkOf { session_id: session_id.into(), after_message_uuid });
        self
    }

    /// Sets what the session may cost, in US dollars; at most what the policy allows.
    #[must_use]
    pub fn budget_usd(mut self, usd: f64) -> Self {
        self.budget_usd = Some(usd);
        self
    }

    /// Checks the members as those of a request body are.
    fn check(self) -> Result<CreateSession, SessionError> {
        let cwd = match self.cwd.map(|cwd| cwd.into_os_string().into_string()) {
            None => None,
            Some(Ok(cwd)) => Some(cwd),
            Some(Err(_)) => return Err(SessionError::unprocessable("cwd must be a path in UTF-8")),
        };
        let Self { model, permission_mode, title, profile, fork_of, budget_usd, .. } = self;
        let body = CreateSession { model, permission_mode, cwd, title, profile, fork_of, budget_usd };
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
    /// [`Unprocessable`](SessionError::Unprocessable) and [`Invalid`](SessionError::Invalid): a member is invalid, or there
    /// is no such profile;
    /// [`Denied`](SessionError::Denied): the policy forbids the directory or the mode;
    /// [`Unavailable`](SessionError::Unavailable): there are too many sessions, the agent cannot be started, the
    /// storage is not available, or the server is shutting down. Of a fork also [`NotFound`](SessionError::NotFound): the
    /// owner has no such session; [`Conflict`](SessionError::Conflict): the turn has not ended.
    pub async fn create(&self, mut new: NewSession) -> Result<SessionHandle<L>, SessionError> {
        self.start_tasks();
        let owner = new.owner.take();
        self.create_as_wanted(new.check()?, owner).await
    }

    /// Returns the session with this id, if it is in memory and belongs to the caller with this name.
    #[must_use]
    pub fn get(&self, id: &str, caller: Option<&str>) -> Option<SessionHandle<L>> {
        let live = self.in_memory(id).filter(|session| session.is_visible_to(caller))?;
        Some(SessionHandle::new(Place::Here(live), self.clone()))
    }

    /// Returns the caller's session with this id. A stored session that is not in memory is restored, without an agent
    /// until one is needed, unless another host runs it. Then the handle reads its events and sends it messages there.
    ///
    /// # Errors
    /// [`Unavailable`](SessionError::Unavailable): the storage is not available, there are too many sessions, or the
    /// server is shutting down.
    pub async fn find(
        &self,
        id: &str,
        caller: Option<&str>,
    ) -> Result<Option<SessionHandle<L>>, SessionError> {
        let place = self.find_place(id, caller).await?;
        Ok(place.map(|place| SessionHandle::new(place, self.clone())))
    }

    /// Returns the caller's sessions that are in memory, oldest first.
    #[must_use]
    pub fn list(&self, caller: Option<&str>) -> Vec<SessionHandle<L>> {
        self.live(caller)
            .into_iter()
            .map(|live| SessionHandle::new(Place::Here(live), self.clone()))
            .collect()
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
        let budget_usd = self.policy().session_budget(wanted.budget_usd);
        let budget_usd = budget_usd.map_err(|denied| SessionError::Denied(denied.to_string()))?;
        let (title, mut spec, source) = match wanted.fork_of.clone() {
            Some(fork_of) => {
                let (wanted, source) = self.forked(wanted, &fork_of, owner.as_deref()).await?;
                let title = wanted.title.clone();
                let spec = self.permitted(wanted).await?;
                let fork = Some(source.beginning.fork(&source.session_id));
                (title, SessionSpec { fork, resume: true, ..spec }, Some(source))
            }
            None => (wanted.title.clone(), self.permitted(wanted).await?, None),
        };
        spec.report_cost = self.reports_cost(budget_usd);
        spec.owner = owner.clone();
        let slot = self.reserve().await?;
        let new = NewAgent { spec, owner, title, budget_usd, source };
        let live = self.starter().create(self.clone(), new, slot).await?;
        Ok(SessionHandle::new(Place::Here(live), self.clone()))
    }

    /// Finds the session to fork, and completes the choices for the new one by its own.
    async fn forked(
        &self,
        mut wanted: CreateSession,
        fork_of: &ForkOf,
        owner: Option<&str>,
    ) -> Result<(CreateSession, Source<L::Stream>), SessionError> {
        let place = self.find_place(&fork_of.session_id, owner).await?.ok_or(SessionError::NotFound)?;
        if wanted.cwd.is_some() {
            return Err(SessionError::unprocessable(
                "cwd must be absent with fork_of: a fork works where the other session does",
            ));
        }
        wanted.cwd = Some(place.cwd().to_str().map(str::to_owned).ok_or_else(|| {
            SessionError::unprocessable("the session to fork works in a directory whose path is not UTF-8")
        })?);
        let Choices { profile, model, permission_mode, title } = place.choices();
        wanted.profile = wanted.profile.or(profile);
        wanted.model = wanted.model.or(model);
        wanted.title = wanted.title.or(title);
        // Another mode is an approval in advance, which was given to that session.
        let mode = permission_mode.filter(|mode| ASKING.contains(&&**mode));
        wanted.permission_mode = wanted.permission_mode.or(mode);
        let beginning = fork::beginning(place.stream(), fork_of.after_message_uuid.as_deref()).await?;
        Ok((
            wanted,
            Source { session_id: fork_of.session_id.clone(), stream: place.stream().clone(), beginning },
        ))
    }

    /// Builds the spec of the agent to start, if the policy allows it.
    async fn permitted(&self, wanted: CreateSession) -> Result<SessionSpec, SessionError> {
        let policy = self.policy();
        let CreateSession { model, permission_mode, cwd, profile, .. } = wanted;
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
        Ok(SessionSpec { model, permission_mode, profile, ..self.spec(Uuid::new_v4().to_string(), cwd) })
    }
}
