//! Looks at a session's agent and at its directory.

use http::Method;
use serde::de::DeserializeOwned;

use super::{
    Error, HttpService, Session,
    exchange::{Call, Repeat, escaped},
};
use crate::proto::{Look, client::Members};

impl<S: HttpService> Session<S> {
    /// The slash commands that the agent knows, as it describes them (`GET /sessions/{id}/commands`).
    ///
    /// # Errors
    /// 503: the agent is asleep, and what it would answer is not known. It is not asked again; the next message wakes
    /// it. Or there is no such session (404), or the server gives no answer.
    pub async fn commands(&self) -> Result<Vec<Members>, Error> {
        self.look(Look::Commands).await
    }

    /// The models that the agent can use, as it describes them (`GET /sessions/{id}/models`).
    ///
    /// # Errors
    /// As for [`commands`](Self::commands).
    pub async fn models(&self) -> Result<Vec<Members>, Error> {
        self.look(Look::Models).await
    }

    /// How much of the model's context is used, and by what (`GET /sessions/{id}/context`).
    ///
    /// # Errors
    /// As for [`commands`](Self::commands).
    pub async fn context(&self) -> Result<Members, Error> {
        self.look(Look::Context).await
    }

    /// The agent's MCP servers with their statuses and tools (`GET /sessions/{id}/mcp`).
    ///
    /// # Errors
    /// As for [`commands`](Self::commands).
    pub async fn mcp(&self) -> Result<Vec<Members>, Error> {
        self.look(Look::Mcp).await
    }

    /// The paths below the session's directory that hold `query`, the best ones first (`GET /sessions/{id}/files`). Those
    /// of directories end with a slash.
    ///
    /// # Errors
    /// There is no such session (404), the directory cannot be read (503), or the server gives no answer.
    pub async fn files(&self, query: &str) -> Result<Vec<String>, Error> {
        self.member("files", &format!("/files?query={}", escaped(query))).await
    }

    async fn look<T: DeserializeOwned>(&self, look: Look) -> Result<T, Error> {
        self.member(look.name(), &format!("/{}", look.name())).await
    }

    async fn member<T: DeserializeOwned>(&self, name: &str, path: &str) -> Result<T, Error> {
        let call = Call::new(Method::GET, self.path(path), "");
        let mut members: Members = self.endpoint.json(&call, Repeat::UnlessUnavailable).await?;
        let value = members.remove(name).unwrap_or_default();
        serde_json::from_value(value)
            .map_err(|error| Error::Protocol(format!("{name} in the answer cannot be read: {error}")))
    }
}
