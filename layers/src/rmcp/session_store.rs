//! Stores what restores a session: the parameters of its `initialize` request.

use ::rmcp::transport::streamable_http_server::session::{SessionState, SessionStore, SessionStoreError};

use super::{McpLog, SESSIONS};
use crate::resume::{Batch, Cursor, EventLog, EventStream, Tail, TailError};

#[async_trait::async_trait]
impl<L: EventLog> SessionStore for McpLog<L> {
    async fn load(&self, session_id: &str) -> Result<Option<SessionState>, SessionStoreError> {
        let Some(stream) = self.log.find(&key(session_id)).await? else { return Ok(None) };
        let note = match stream.tail(Cursor::Oldest).await {
            Ok(tail) => tail.attached().note.clone(),
            Err(TailError::Forgotten) => None,
            Err(error) => return Err(error.into()),
        };
        Ok(note.map(|state| serde_json::from_slice(&state)).transpose()?)
    }

    async fn store(&self, session_id: &str, state: &SessionState) -> Result<(), SessionStoreError> {
        let note = Some(serde_json::to_vec(state)?.into());
        let key = key(session_id);
        // It may have been closed before.
        self.log.forget(&key).await?;
        let stream = self.log.open(&key).await?;
        stream.append(Batch { note, ..Batch::default() }).await?;
        stream.close();
        Ok(())
    }

    async fn delete(&self, session_id: &str) -> Result<(), SessionStoreError> {
        Ok(self.log.forget(&key(session_id)).await?)
    }
}

fn key(session: &str) -> String {
    format!("{SESSIONS}{session}")
}
