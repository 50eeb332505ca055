//! The statements and row conversions that the transcript stores in databases share.

use serde_json::{Map, Value};

use super::{Entry, SessionSummary, StoreError, StoredSession};
use crate::storage::database::{CallError, is_fault_of_row};

pub(super) const SESSIONS: &str = "select session_id, max(inserted_at_ms) from session_entries
    where project_key = $1 and subpath = '' group by session_id";

pub(super) const SUBKEYS: &str = "select distinct subpath from session_entries
    where project_key = $1 and session_id = $2 and subpath <> ''";

pub(super) const FIND: &str =
    "select distinct project_key from session_entries where session_id = $1 and subpath = ''";

/// Deletes a transcript, or with a main transcript all subpaths and the summary.
pub(super) const DELETES: [&str; 2] = [
    "delete from session_entries where project_key = $1 and session_id = $2 and ($3 = '' or subpath = $3)",
    "delete from session_summaries where project_key = $1 and session_id = $2 and $3 = ''",
];

pub(super) fn entries(texts: Vec<String>) -> Result<Option<Vec<Entry>>, StoreError> {
    if texts.is_empty() {
        return Ok(None);
    }
    let entry = |text: String| Entry::owned(text).map_err(|error| StoreError::Unavailable(error.into()));
    texts.into_iter().map(entry).collect::<Result<_, _>>().map(Some)
}

pub(super) fn sessions(rows: Vec<(String, i64)>) -> Vec<StoredSession> {
    rows.into_iter().map(|(session_id, mtime_ms)| StoredSession { session_id, mtime_ms }).collect()
}

pub(super) fn summaries(rows: Vec<(String, i64, String)>) -> Result<Vec<SessionSummary>, StoreError> {
    rows.into_iter()
        .map(|(session_id, mtime_ms, json)| Ok(SessionSummary { session_id, mtime_ms, data: data(&json)? }))
        .collect()
}

/// Parses a summary's data.
pub(super) fn data(json: &str) -> Result<Map<String, Value>, StoreError> {
    serde_json::from_str(json)
        .map_err(|error| StoreError::Unavailable(format!("a summary is not a JSON object: {error}").into()))
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if !is_fault_of_row(&error) {
            Self::Unavailable(error.into())
        } else {
            Self::Invalid(error.to_string())
        }
    }
}

impl CallError for StoreError {
    fn of_database(&self) -> Option<&sqlx::Error> {
        match self {
            Self::Unavailable(error) => error.downcast_ref(),
            Self::Fenced | Self::Invalid(_) => None,
        }
    }
}
