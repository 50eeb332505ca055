//! Response bodies (`docs/protocol.md`, Routes).

use serde::{Deserialize, Serialize};

use super::Members;

/// The answer to `POST /sessions`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Created {
    /// The session's id, a v4 uuid.
    pub session_id: String,
    /// [`PROTOCOL_VERSION`](crate::proto::PROTOCOL_VERSION).
    pub protocol_version: String,
}

/// A session, as in the answers to `GET /sessions` and `GET /sessions/{id}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SessionInfo {
    /// The session's id.
    pub session_id: String,
    /// The sequence number of the oldest event that can be read.
    pub oldest_seq: u64,
    /// The sequence number of the newest event.
    pub as_of_seq: u64,
    /// The model that was chosen.
    pub model: Option<String>,
    /// The permission mode, if it is known.
    pub permission_mode: Option<String>,
    /// The agent's working directory.
    pub cwd: String,
    /// The beginning of its first message.
    pub title: Option<String>,
    /// When it was created, in milliseconds since the Unix epoch.
    pub created_at: u64,
    /// When it was last active, in milliseconds since the Unix epoch.
    pub active_at: u64,
    /// `status`, `session_cost_usd` and further members; `pending` in the answer to `GET /sessions/{id}`.
    #[serde(flatten)]
    pub more: Members,
}

/// The answer to `POST /sessions/{id}/tickets`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Ticket {
    /// The ticket itself.
    pub ticket: String,
    /// Its lifetime in seconds.
    pub expires_in: u64,
    /// The stream's URL with the ticket, relative to the URL of the request.
    pub stream_url: String,
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticket").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}
