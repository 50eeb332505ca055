//! Bodies of answers (`docs/protocol.md`, Routes).

use serde::{Deserialize, Serialize};

use super::Members;

/// The answer of `POST /sessions`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Created {
    /// The session's id, a v4 uuid.
    pub session_id: String,
    /// [`PROTOCOL_VERSION`](crate::proto::PROTOCOL_VERSION).
    pub protocol_version: String,
}

/// A session as `GET /sessions` and `GET /sessions/{id}` tell it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SessionInfo {
    /// The session.
    pub session_id: String,
    /// The oldest event that can still be had.
    pub oldest_seq: u64,
    /// The newest event.
    pub as_of_seq: u64,
    /// The model that was chosen.
    pub model: Option<String>,
    /// The permission mode, if the agent has told it.
    pub permission_mode: Option<String>,
    /// Where it works.
    pub cwd: String,
    /// The beginning of its first message.
    pub title: Option<String>,
    /// In milliseconds since the epoch.
    pub created_at: u64,
    /// In milliseconds since the epoch.
    pub active_at: u64,
    /// `status`, `session_cost_usd` and what else there is; `pending` where one session was asked for.
    #[serde(flatten)]
    pub more: Members,
}

/// The answer of `POST /sessions/{id}/tickets`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Ticket {
    /// The ticket itself.
    pub ticket: String,
    /// For so many seconds it opens the stream.
    pub expires_in: u64,
    /// The stream's URL with it, relative to the URL of the request.
    pub stream_url: String,
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticket").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}
