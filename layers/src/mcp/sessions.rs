//! What restores a session: the note of a stream without events.

use bytes::Bytes;

use super::{BoxError, McpLog, SESSIONS, streams::TRIES};
use crate::resume::{AppendError, Batch, Cursor, EventLog, EventStream, Tail, TailError};

impl<L: EventLog> McpLog<L> {
    pub(super) async fn session(&self, id: &str) -> Result<Option<Bytes>, BoxError> {
        let Some(stream) = self.log.find(&key(id)).await? else { return Ok(None) };
        match stream.tail(Cursor::Oldest).await {
            Ok(tail) => Ok(tail.attached().note.clone()),
            Err(TailError::Forgotten) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn store_session(&self, id: &str, state: Bytes) -> Result<(), BoxError> {
        for _ in 0..TRIES {
            let stream = self.log.open(&key(id)).await?;
            match stream.append(Batch { note: Some(state.clone()), ..Batch::default() }).await {
                Ok(_) => return Ok(()),
                Err(AppendError::Fenced) => {}
                // It is deleted in this moment.
                Err(AppendError::Closed) => self.log.forget(&key(id)).await?,
                Err(error @ AppendError::Unavailable(_)) => return Err(error.into()),
            }
        }
        Err(AppendError::Fenced.into())
    }

    pub(super) async fn delete_session(&self, id: &str) -> Result<(), BoxError> {
        Ok(self.log.forget(&key(id)).await?)
    }
}

fn key(session: &str) -> String {
    format!("{SESSIONS}{session}")
}
