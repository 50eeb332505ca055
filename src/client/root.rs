//! The client.

use std::time::Duration;

use http::{Method, Uri};
use serde::{Deserialize, Serialize};
use tower::BoxError;

use super::{
    Credential, Error, HttpService, Session,
    credential::Credentials,
    exchange::{Call, Endpoint, Repeat},
};
use crate::proto::{
    ForkOf,
    client::{Created, SessionInfo},
};

/// A client of one server. Clones share the credential.
#[derive(Clone, Debug)]
pub struct Client<S> {
    endpoint: Endpoint<S>,
}

/// What a new session is to be; nothing of it is required.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct NewSession {
    /// The model; `None` for the agent's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The permission mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permission_mode: Option<String>,
    /// The agent's working directory, inside an allowed workspace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// The title in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The set of the agent's options, by the operator's name for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The session that it begins as a copy of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fork_of: Option<ForkOf>,
    /// What it may cost, in US dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget_usd: Option<f64>,
}

impl NewSession {
    /// Sets the model.
    #[must_use]
    pub fn model(self, model: impl Into<String>) -> Self {
        Self { model: Some(model.into()), ..self }
    }

    /// Sets the permission mode.
    #[must_use]
    pub fn permission_mode(self, mode: impl Into<String>) -> Self {
        Self { permission_mode: Some(mode.into()), ..self }
    }

    /// Sets the agent's working directory.
    #[must_use]
    pub fn cwd(self, directory: impl Into<String>) -> Self {
        Self { cwd: Some(directory.into()), ..self }
    }

    /// Sets the title in lists.
    #[must_use]
    pub fn title(self, title: impl Into<String>) -> Self {
        Self { title: Some(title.into()), ..self }
    }

    /// Sets the profile.
    #[must_use]
    pub fn profile(self, name: impl Into<String>) -> Self {
        Self { profile: Some(name.into()), ..self }
    }

    /// Sets what it may cost, in US dollars.
    #[must_use]
    pub fn budget_usd(self, usd: f64) -> Self {
        Self { budget_usd: Some(usd), ..self }
    }

    /// Makes it begin as a copy of this session of the same caller, up to and with the turn of the message with this
    /// uuid, or up to the last turn that has ended.
    #[must_use]
    pub fn fork_of(self, session_id: impl Into<String>, after_message_uuid: Option<String>) -> Self {
        Self { fork_of: Some(ForkOf { session_id: session_id.into(), after_message_uuid }), ..self }
    }
}

impl<S> Client<S> {
    /// A client of the server at `base`, such as `http://127.0.0.1:8000` or `https://example.com/agents`, over this
    /// HTTP client. For a service in this process the base is the path where it is mounted, such as `/`.
    pub fn new(http: S, base: Uri) -> Self {
        let (patience, silence) = (Duration::from_secs(120), Duration::from_secs(45));
        let (credentials, pauses) =
            (Credentials::default(), (Duration::from_millis(100), Duration::from_secs(10)));
        Self { endpoint: Endpoint { http, base, credentials, patience, silence, pauses } }
    }

    /// Sets the token (or a ticket, which opens a stream and nothing else).
    #[must_use]
    pub fn credential(self, credential: impl Into<Credential>) -> Self {
        self.with(|endpoint| endpoint.credentials = Credentials::fixed(credential.into()))
    }

    /// Sets a callback that gets a credential: for the first request, and whenever the server has answered 401, once
    /// before the request is given up.
    ///
    /// ```
    /// # use agent_webkit::client::Client;
    /// # fn renewing<S>(client: Client<S>) -> Client<S> {
    /// client.renew_credential(async || Ok(std::fs::read_to_string("/run/secrets/token")?.trim().to_owned()))
    /// # }
    /// ```
    #[must_use]
    pub fn renew_credential<F, C>(self, renew: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<C, BoxError>> + Send + 'static,
        C: Into<Credential>,
    {
        self.with(|endpoint| endpoint.credentials = Credentials::renewed(renew))
    }

    /// Sets the time after which a request that got no answer, or only temporary refusals, is given up. Default: two
    /// minutes. Streams are never given up.
    #[must_use]
    pub fn patience(self, patience: Duration) -> Self {
        self.with(|endpoint| endpoint.patience = patience)
    }

    /// Sets the time without a byte after which a stream's connection counts as dead. Default: 45 s, three times the
    /// server's keepalive interval.
    #[must_use]
    pub fn silence(self, silence: Duration) -> Self {
        self.with(|endpoint| endpoint.silence = silence)
    }

    /// Sets the first and the longest pause between two tries; each is twice as long as the one before, and longer by a
    /// random part of itself. Default: 100 ms and 10 s. The server's `retry:` and `Retry-After` make pauses longer.
    #[must_use]
    pub fn pauses(self, first: Duration, longest: Duration) -> Self {
        self.with(|endpoint| endpoint.pauses = (first, longest))
    }

    /// The session with this id. Sends nothing.
    #[must_use]
    pub fn attach(&self, session_id: impl Into<String>) -> Session<S>
    where
        S: Clone,
    {
        Session::new(self.endpoint.clone(), session_id.into())
    }

    fn with(mut self, change: impl FnOnce(&mut Endpoint<S>)) -> Self {
        change(&mut self.endpoint);
        self
    }
}

impl<S: HttpService> Client<S> {
    /// Creates a session (`POST /sessions`).
    ///
    /// It is sent again after a 503, but not after a lost connection, because the server may have created the session.
    ///
    /// # Errors
    /// The server refuses it (403, 422, or 503 for longer than the client's patience), or gives no answer.
    pub async fn create(&self, session: &NewSession) -> Result<Session<S>, Error> {
        let body = serde_json::to_vec(session).expect("keys are strings");
        let call = Call::new(Method::POST, "/sessions", body);
        let created: Created = self.endpoint.json(&call, Repeat::IfUnavailable).await?;
        Ok(self.attach(created.session_id))
    }

    /// Lists the caller's sessions, oldest first (`GET /sessions`).
    ///
    /// # Errors
    /// The server refuses it or gives no answer.
    pub async fn list(&self) -> Result<Vec<SessionInfo>, Error> {
        #[derive(Deserialize)]
        struct Listed {
            sessions: Vec<SessionInfo>,
        }
        let listed: Listed =
            self.endpoint.json(&Call::new(Method::GET, "/sessions", ""), Repeat::Always).await?;
        Ok(listed.sessions)
    }
}
