//! The copy that a session begins as.

use serde::Serialize;

/// Which session a new one begins as a copy of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ForkOf {
    /// The session's id.
    pub session_id: String,
    /// The message with whose turn the copy ends; `None` for the last turn that has ended.
    pub after_message_uuid: Option<String>,
}
