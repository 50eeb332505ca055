use std::{fmt, future::poll_fn};

use agent_webkit_layers::resume::{
    AppendError, Batch, Cursor, Event, EventLog, EventParser, EventStream, Tail, TailError,
};
use tower_mcp::{
    event_store::{self, EventRecord, EventStore, EventStoreError},
    session_store::{self, SessionRecord, SessionStore, SessionStoreError},
};

/// How often a stream is opened or read again because another server writes to it.
const TRIES: usize = 8;

/// Both stores over one event log. A session is the note of a stream, and its events are another stream.
pub(crate) struct Stores<L>(pub(crate) L);

type AnyError = Box<dyn std::error::Error + Send + Sync>;

impl<L: EventLog> Stores<L> {
    async fn store(&self, key: &str, batch: Batch) -> Result<(), AnyError> {
        for _ in 0..TRIES {
            match self.0.open(key).await?.append(batch.clone()).await {
                // Another server has opened it meanwhile.
                Err(AppendError::Fenced) => {}
                stored => return Ok(stored.map(drop)?),
            }
        }
        Err(AppendError::Fenced.into())
    }

    /// What the log holds of a stream: its note, and the data of its events.
    async fn held(&self, key: &str) -> Result<Option<(Vec<u8>, Vec<Vec<u8>>)>, AnyError> {
        let Some(stream) = self.0.find(key).await? else { return Ok(None) };
        for _ in 0..TRIES {
            let mut tail = match stream.tail(Cursor::Oldest).await {
                Err(TailError::Forgotten) => return Ok(None),
                tail => tail?,
            };
            let attached = tail.attached().clone();
            let (mut read, mut parser, mut events) =
                (attached.after, EventParser::new(usize::MAX), Vec::new());
            while read < attached.bounds.last {
                match poll_fn(|cx| tail.poll_chunk(cx)).await {
                    Some(Ok(chunk)) => {
                        read = chunk.last_seq;
                        parser.push(&chunk.bytes, &mut events)?;
                    }
                    Some(Err(_)) | None => break,
                }
            }
            // Events may have left the window of the log meanwhile.
            if read >= attached.bounds.last {
                let data = events.into_iter().map(|event| event.data.to_vec()).collect();
                return Ok(Some((attached.note.unwrap_or_default().to_vec(), data)));
            }
        }
        Err("the events leave the log faster than they can be read".into())
    }
}

fn events_of(session: &str) -> String {
    format!("mcp-stream:{session}")
}

fn key_of(session: &str) -> String {
    format!("mcp-session:{session}")
}

#[async_trait::async_trait]
impl<L: EventLog> EventStore for Stores<L> {
    async fn append(&self, session_id: &str, event: EventRecord) -> event_store::Result<()> {
        let data = serde_json::to_vec(&event).map_err(|error| EventStoreError::Encode(error.to_string()))?;
        let stored = self.store(&events_of(session_id), Event::new("", data).into()).await;
        stored.map_err(|error| not_kept(&error))
    }

    async fn replay_after(&self, session_id: &str, after_id: u64) -> event_store::Result<Vec<EventRecord>> {
        let held = self.held(&events_of(session_id)).await.map_err(|error| not_kept(&error))?;
        let (_, events) = held.unwrap_or_default();
        let records = events.iter().map(|data| serde_json::from_slice::<EventRecord>(data));
        let mut records: Vec<_> =
            records.collect::<Result<_, _>>().map_err(|error| EventStoreError::Decode(error.to_string()))?;
        records.retain(|record| record.id > after_id);
        Ok(records)
    }

    async fn purge_session(&self, session_id: &str) -> event_store::Result<()> {
        self.0.forget(&events_of(session_id)).await.map_err(|error| not_kept(&error))
    }
}

#[async_trait::async_trait]
impl<L: EventLog> SessionStore for Stores<L> {
    async fn create(&self, record: &mut SessionRecord) -> session_store::Result<()> {
        // Of two servers with one id, one makes the stream.
        while self.0.create(&key_of(&record.id)).await.map_err(|error| not_stored(&error))?.is_none() {
            record.id = uuid::Uuid::new_v4().to_string();
        }
        self.save(record).await
    }

    async fn save(&self, record: &SessionRecord) -> session_store::Result<()> {
        let note =
            serde_json::to_vec(record).map_err(|error| SessionStoreError::Encode(error.to_string()))?;
        let batch = Batch { note: Some(note.into()), ..Batch::default() };
        self.store(&key_of(&record.id), batch).await.map_err(|error| not_stored(&error))
    }

    async fn load(&self, id: &str) -> session_store::Result<Option<SessionRecord>> {
        let held = self.held(&key_of(id)).await.map_err(|error| not_stored(&error))?;
        let Some((note, _)) = held.filter(|(note, _)| !note.is_empty()) else { return Ok(None) };
        let record: SessionRecord =
            serde_json::from_slice(&note).map_err(|error| SessionStoreError::Decode(error.to_string()))?;
        Ok(Some(record).filter(|record| !record.is_expired()))
    }

    async fn delete(&self, id: &str) -> session_store::Result<()> {
        self.0.forget(&key_of(id)).await.map_err(|error| not_stored(&error))
    }
}

fn not_kept(error: &dyn fmt::Display) -> EventStoreError {
    EventStoreError::Backend(error.to_string())
}

fn not_stored(error: &dyn fmt::Display) -> SessionStoreError {
    SessionStoreError::Backend(error.to_string())
}
