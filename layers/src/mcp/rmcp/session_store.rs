use ::rmcp::transport::streamable_http_server::session::{SessionState, SessionStore, SessionStoreError};

use super::super::McpLog;
use crate::resume::EventLog;

#[async_trait::async_trait]
impl<L: EventLog> SessionStore for McpLog<L> {
    async fn load(&self, session_id: &str) -> Result<Option<SessionState>, SessionStoreError> {
        let state = self.session(session_id).await?;
        Ok(state.map(|state| serde_json::from_slice(&state)).transpose()?)
    }

    async fn store(&self, session_id: &str, state: &SessionState) -> Result<(), SessionStoreError> {
        self.store_session(session_id, serde_json::to_vec(state)?.into()).await
    }

    async fn delete(&self, session_id: &str) -> Result<(), SessionStoreError> {
        self.delete_session(session_id).await
    }
}
