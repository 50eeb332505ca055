//! Stores what restores a session, the parameters of its `initialize` request: the note of a stream without events.

use ::rmcp::transport::streamable_http_server::session::{SessionState, SessionStore, SessionStoreError};
use bytes::Bytes;

use super::{McpLog, SESSIONS, streams::TRIES};
use crate::resume::{AppendError, Batch, Cursor, EventLog, EventStream, Tail, TailError};

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
        let state = Bytes::from(serde_json::to_vec(state)?);
        for _ in 0..TRIES {
            let stream = self.log.open(&key(session_id)).await?;
            match stream.append(Batch { note: Some(state.clone()), ..Batch::default() }).await {
                Ok(_) => return Ok(()),
                Err(AppendError::Fenced) => {}
                // It is deleted in this moment.
                Err(AppendError::Closed) => self.log.forget(&key(session_id)).await?,
                Err(error @ AppendError::Unavailable(_)) => return Err(error.into()),
            }
        }
        Err(AppendError::Fenced.into())
    }

    async fn delete(&self, session_id: &str) -> Result<(), SessionStoreError> {
        Ok(self.log.forget(&key(session_id)).await?)
    }
}

fn key(session: &str) -> String {
    format!("{SESSIONS}{session}")
}
