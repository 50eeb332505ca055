//! Transcript stores: they keep an agent's conversation outside of its process.
//!
//! [`TranscriptStore`] is the session-store contract of the Claude Agent SDK. [`MemoryTranscripts`]
//! implements it in memory, `SqliteTranscripts` in a SQLite file, and `PgTranscripts` in the tables of the
//! Python reference.
//!
//! ```
//! use agent_webkit::storage::transcripts::{Entry, MemoryTranscripts, TranscriptKey, TranscriptStore};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = MemoryTranscripts::new();
//! let key = TranscriptKey::main("-srv-projects", "f3b1");
//! assert!(store.load(&key).await?.is_none());
//!
//! let entries: Vec<Entry> = vec![
//!     r#"{"type":"user","uuid":"a","message":{"content":"Hello."}}"#.parse()?,
//!     r#"{"type":"assistant","uuid":"b"}"#.parse()?,
//! ];
//! store.append(&key, &entries).await?;
//! // Of what is known already nothing is stored twice.
//! store.append(&key, &entries).await?;
//! assert_eq!(store.load(&key).await?.map_or(0, |entries| entries.len()), 2);
//!
//! let summaries = store.list_session_summaries("-srv-projects").await?;
//! assert_eq!(summaries[0].data["first_prompt"], "Hello.");
//! # Ok(())
//! # }
//! ```

mod entry;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod fenced;
mod memory;
mod plain;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "postgres")]
mod shape;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sql;
#[cfg(feature = "sqlite")]
mod sqlite;
mod summary;
mod timestamp;

use std::{fmt, future::Future, pin::Pin, sync::Arc};

pub use self::entry::Entry;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use self::fenced::{Fenced, FencedAppend};
pub use self::memory::MemoryTranscripts;
#[cfg(feature = "postgres")]
pub use self::postgres::PgTranscripts;
#[cfg(feature = "sqlite")]
pub use self::sqlite::SqliteTranscripts;

/// Longest key, in bytes. A Postgres index cannot hold much longer ones.
const MAX_KEY: usize = 2000;

/// The key of a transcript: a session's main one, or a sub-agent's with its subpath.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TranscriptKey {
    /// The project: by convention the working directory, with `-` for everything but letters and digits.
    /// Projects share no transcripts.
    pub project_key: String,
    /// The session's id.
    pub session_id: String,
    /// The subpath of a sub-agent, such as `subagents/agent-1`; empty for the main transcript.
    pub subpath: String,
}

impl TranscriptKey {
    /// The key of a session's main transcript.
    #[must_use]
    pub fn main(project_key: impl Into<String>, session_id: impl Into<String>) -> Self {
        Self { project_key: project_key.into(), session_id: session_id.into(), subpath: String::new() }
    }

    /// The key of another transcript of the same session.
    #[must_use]
    pub fn with_subpath(&self, subpath: impl Into<String>) -> Self {
        Self { subpath: subpath.into(), ..self.clone() }
    }

    /// Whether this is the key of a main transcript.
    #[must_use]
    pub fn is_main(&self) -> bool {
        self.subpath.is_empty()
    }

    /// Whether this transcript belongs to the session whose main transcript is `main`.
    fn is_of(&self, main: &Self) -> bool {
        self.project_key == main.project_key && self.session_id == main.session_id
    }

    /// Checks that every transcript store can hold this key.
    fn check(&self) -> Result<(), StoreError> {
        let parts = [&self.project_key, &self.session_id, &self.subpath];
        if parts.iter().any(|part| part.contains('\0')) {
            return Err(StoreError::Invalid("its key holds a NUL character".into()));
        }
        if parts.iter().map(|part| part.len()).sum::<usize>() > MAX_KEY {
            return Err(StoreError::Invalid(format!("its key is longer than {MAX_KEY} bytes")));
        }
        Ok(())
    }
}

/// A session that has a main transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSession {
    /// The session's id.
    pub session_id: String,
    /// When the transcript was last appended to, in milliseconds since the Unix epoch, by the transcript
    /// store's clock.
    pub mtime_ms: i64,
}

/// The summary of a session, which the transcript store updates on each append.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionSummary {
    /// The session's id.
    pub session_id: String,
    /// When the summary was written, in milliseconds since the Unix epoch, by the transcript store's clock.
    pub mtime_ms: i64,
    /// The data of the summary, in the format of the SDK's `fold_session_summary`.
    pub data: serde_json::Map<String, serde_json::Value>,
}

/// The error of an operation on a transcript store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The transcript store cannot be used now; the same call may succeed later.
    #[error("the transcript store is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// This host does not hold the session's lease; the same call never succeeds.
    #[error("the session is served by another host")]
    Fenced,
    /// The entry cannot be stored.
    #[error("the entry cannot be stored: {0}")]
    Invalid(String),
}

/// The future of a transcript store's methods, boxed so that [`TranscriptStore`] is dyn-compatible.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Stores transcripts: the session-store contract of the Claude Agent SDK.
pub trait TranscriptStore: fmt::Debug + Send + Sync + 'static {
    /// Appends entries in order: all of them or none. Skips an entry whose `uuid` the transcript already
    /// holds; an entry without a `uuid` is always appended.
    ///
    /// Fails with [`StoreError::Invalid`] if the key is longer than 2000 bytes or holds a NUL character.
    fn append<'a>(&'a self, key: &'a TranscriptKey, entries: &'a [Entry]) -> StoreFuture<'a, ()>;

    /// Returns all entries in the order of their appends, deep-equal to them; `None` if there are none.
    fn load<'a>(&'a self, key: &'a TranscriptKey) -> StoreFuture<'a, Option<Vec<Entry>>>;

    /// Returns the sessions of a project that have a main transcript.
    fn list_sessions<'a>(&'a self, project_key: &'a str) -> StoreFuture<'a, Vec<StoredSession>>;

    /// Returns the summaries of a project's sessions. Transcripts of sub-agents do not change them.
    fn list_session_summaries<'a>(&'a self, project_key: &'a str) -> StoreFuture<'a, Vec<SessionSummary>>;

    /// Deletes a transcript. A main transcript is deleted together with its subpaths and its summary.
    fn delete<'a>(&'a self, key: &'a TranscriptKey) -> StoreFuture<'a, ()>;

    /// Returns the subpaths of a session.
    fn list_subkeys<'a>(&'a self, key: &'a TranscriptKey) -> StoreFuture<'a, Vec<String>>;

    /// Returns the projects in which a session with this id has a main transcript.
    fn find<'a>(&'a self, session_id: &'a str) -> StoreFuture<'a, Vec<String>>;
}

/// A transcript store chosen at run time.
pub type AnyTranscriptStore = Arc<dyn TranscriptStore>;
