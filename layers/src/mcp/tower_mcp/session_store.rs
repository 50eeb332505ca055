use std::fmt::Write;

use ::tower_mcp::session_store::{Result, SessionRecord, SessionStore, SessionStoreError};

use super::super::{BoxError, McpLog};
use crate::resume::EventLog;

#[async_trait::async_trait]
impl<L: EventLog> SessionStore for McpLog<L> {
    async fn create(&self, record: &mut SessionRecord) -> Result<()> {
        while self.session(&record.id).await.map_err(failed)?.is_some() {
            record.id = new_id()?;
        }
        self.save(record).await
    }

    async fn save(&self, record: &SessionRecord) -> Result<()> {
        let state =
            serde_json::to_vec(record).map_err(|error| SessionStoreError::Encode(error.to_string()))?;
        self.store_session(&record.id, state.into()).await.map_err(failed)
    }

    async fn load(&self, id: &str) -> Result<Option<SessionRecord>> {
        let Some(state) = self.session(id).await.map_err(failed)? else { return Ok(None) };
        let record: SessionRecord =
            serde_json::from_slice(&state).map_err(|error| SessionStoreError::Decode(error.to_string()))?;
        Ok(Some(record).filter(|record| !record.is_expired()))
    }

    async fn delete(&self, id: &str) -> Result<()> {
        self.delete_session(id).await.map_err(failed)
    }
}

/// An id that cannot be guessed.
fn new_id() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| failed(error.into()))?;
    let mut id = String::with_capacity(32);
    for byte in bytes {
        write!(id, "{byte:02x}").expect("a String takes everything");
    }
    Ok(id)
}

fn failed(error: BoxError) -> SessionStoreError {
    SessionStoreError::Backend(error.to_string())
}
