use std::sync::Arc;

use crate::storage::database::is_fault_of_row;

/// The database of a durable event log cannot be used now.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the event log's database cannot be used now")]
pub struct LogError {
    source: Arc<sqlx::Error>,
}

impl From<sqlx::Error> for LogError {
    fn from(error: sqlx::Error) -> Self {
        Self { source: Arc::new(error) }
    }
}

impl LogError {
    /// Whether the database refuses what the batch holds, so that a retry cannot succeed.
    pub(super) fn is_fault_of_row(&self) -> bool {
        is_fault_of_row(&self.source)
    }
}

/// The event log was shut down.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the event log was shut down")]
pub(super) struct ShutDown;

/// An event's name holds a NUL character, which Postgres cannot store.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("an event's name holds a NUL")]
pub(super) struct NulInName;
