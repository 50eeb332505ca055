//! Looks at a session's agent and at its directory.

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio::{sync::oneshot, time::timeout};

use super::SessionHandle;
use crate::{
    layers::resume::EventLog,
    proto::{Look, client::Members},
    service::{
        error::SessionError,
        files,
        session::{
            live::{Mail, NotTaken},
            mailbox::SendError,
            place::Place,
        },
    },
};

/// The longest query, in bytes; Linux opens no longer path.
const LONGEST_QUERY: usize = 4096;

impl<L: EventLog> SessionHandle<L> {
    /// The slash commands that the agent knows, as it describes them (`GET /sessions/{id}/commands`). Starts no agent.
    ///
    /// # Errors
    /// [`Unavailable`](SessionError::Unavailable): the agent is asleep, and what it would answer is not known; or it
    /// does not answer. [`NotFound`](SessionError::NotFound), [`TakenOver`](SessionError::TakenOver).
    pub async fn commands(&self) -> Result<Vec<Members>, SessionError> {
        self.read(Look::Commands).await
    }

    /// The models that the agent can use, as it describes them (`GET /sessions/{id}/models`). Starts no agent.
    ///
    /// # Errors
    /// See [`commands`](Self::commands).
    pub async fn models(&self) -> Result<Vec<Members>, SessionError> {
        self.read(Look::Models).await
    }

    /// How much of the model's context is used, and by what (`GET /sessions/{id}/context`): the agent's own estimate.
    /// Starts no agent.
    ///
    /// # Errors
    /// See [`commands`](Self::commands).
    pub async fn context(&self) -> Result<Members, SessionError> {
        self.read(Look::Context).await
    }

    /// The agent's MCP servers with their statuses and tools, without their configuration (`GET /sessions/{id}/mcp`).
    /// Starts no agent.
    ///
    /// # Errors
    /// See [`commands`](Self::commands).
    pub async fn mcp(&self) -> Result<Vec<Members>, SessionError> {
        self.read(Look::Mcp).await
    }

    /// The paths below the session's directory that hold `query`, at most 100, the best ones first
    /// (`GET /sessions/{id}/files`). They are relative; those of directories end with a slash. Needs no agent.
    ///
    /// It follows no symlink and leaves out what git ignores. In a large directory it looks at the nearest entries only.
    ///
    /// # Errors
    /// [`Invalid`](SessionError::Invalid): `query` is longer than 4096 bytes; [`Denied`](SessionError::Denied): the
    /// directory is not inside a workspace any more; [`Unavailable`](SessionError::Unavailable): it cannot be read.
    pub async fn files(&self, query: &str) -> Result<Vec<String>, SessionError> {
        if query.len() > LONGEST_QUERY {
            return Err(SessionError::invalid(format!(
                "query must not be longer than {LONGEST_QUERY} bytes"
            )));
        }
        let unread = || SessionError::unavailable("the session's directory cannot be read now");
        let _walk = self.sessions.walks().acquire().await.map_err(|_| unread())?;
        let (policy, root, query) = (self.sessions.policy().clone(), self.cwd().to_owned(), query.to_owned());
        let listed = tokio::task::spawn_blocking(move || {
            policy.check_directory(&root).map_err(|denied| SessionError::Denied(denied.to_string()))?;
            files::list(&root, &query).map_err(|error| {
                tracing::warn!(%error, "the directory of a session cannot be read");
                unread()
            })
        });
        listed.await.unwrap_or_else(|_| Err(unread()))
    }

    async fn read<T: DeserializeOwned>(&self, look: Look) -> Result<T, SessionError> {
        let found = self.look(look).await?;
        serde_json::from_str(found.get())
            .map_err(|_| SessionError::unavailable("the agent answered in a form that is not known"))
    }

    /// Asks the agent, and returns its answer as it is.
    pub(crate) async fn look(&self, look: Look) -> Result<Box<RawValue>, SessionError> {
        let mut place = self.place().clone();
        loop {
            let live = match &place {
                Place::Here(live) => live,
                Place::Elsewhere(_) => return self.sessions.look_elsewhere(&place, look).await,
            };
            let (reply, answer) = oneshot::channel();
            let sent = live.mailbox.send(Mail::Look { look, reply });
            let answer = match sent {
                Ok(()) => timeout(self.sessions.limits().answer_timeout, answer)
                    .await
                    .map_err(|_| SessionError::unavailable("the agent did not answer in time"))?,
                Err(SendError::Full) => return Err(SessionError::unavailable("the session is busy")),
                Err(SendError::Closed) => Ok(Err(NotTaken::Released)),
            };
            match answer {
                Ok(Ok(found)) => return Ok(found),
                Ok(Err(NotTaken::Released)) if live.outlives() => place = self.current().await?.place,
                Ok(Err(NotTaken::NoAnswer(no_answer))) => {
                    return Err(SessionError::unavailable(no_answer.to_string()));
                }
                Ok(Err(not_taken)) => return Err(not_taken.into()),
                Err(_) => return Err(SessionError::NotFound),
            }
        }
    }
}
