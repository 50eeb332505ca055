//! The seam to transcripts: what an agent remembers, kept outside of its process.
//!
//! [`TranscriptStore`] is the session-store contract of the Claude Agent SDK. [`MemoryTranscripts`] keeps it
//! in this process, `SqliteTranscripts` in a file, and `PgTranscripts` in the tables of the Python reference.
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

mod clock;
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

/// The longest key, in bytes. Postgres finds no longer ones.
const MAX_KEY: usize = 2000;

/// Names one transcript: a session's main one, or a sub-agent's by its subpath.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TranscriptKey {
    /// The project: by convention the working directory with everything but letters and digits as `-`.
    /// Nothing of one project can be seen from another.
    pub project_key: String,
    /// The session's id.
    pub session_id: String,
    /// A sub-agent's part, such as `subagents/agent-1`; empty for the main transcript.
    pub subpath: String,
}

impl TranscriptKey {
    /// The main transcript of a session.
    #[must_use]
    pub fn main(project_key: impl Into<String>, session_id: impl Into<String>) -> Self {
        Self { project_key: project_key.into(), session_id: session_id.into(), subpath: String::new() }
    }

    /// Another transcript of the same session.
    #[must_use]
    pub fn with_subpath(&self, subpath: impl Into<String>) -> Self {
        Self { subpath: subpath.into(), ..self.clone() }
    }

    /// It is a session's main transcript.
    #[must_use]
    pub fn is_main(&self) -> bool {
        self.subpath.is_empty()
    }

    /// It is a transcript of the session whose main one is `main`.
    fn is_of(&self, main: &Self) -> bool {
        self.project_key == main.project_key && self.session_id == main.session_id
    }

    /// It can be a key in every store.
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
    /// Its id.
    pub session_id: String,
    /// When it was last appended to: milliseconds since the epoch, on the store's clock.
    pub mtime_ms: i64,
}

/// What the store has noted of a session while it was appended to.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionSummary {
    /// The session's id.
    pub session_id: String,
    /// When the summary was written: milliseconds since the epoch, on the store's clock.
    pub mtime_ms: i64,
    /// The summary itself, as the SDK's `fold_session_summary` makes it.
    pub data: serde_json::Map<String, serde_json::Value>,
}

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store cannot be used now; the same call may succeed later.
    #[error("the transcript store is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The session belongs to another host by now; the same call will never succeed.
    #[error("the session is served by another host")]
    Fenced,
    /// What was to be stored cannot be.
    #[error("the entry cannot be stored: {0}")]
    Invalid(String),
}

/// What a store's methods give.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A place for transcripts: the session-store contract of the Claude Agent SDK.
pub trait TranscriptStore: fmt::Debug + Send + Sync + 'static {
    /// Appends entries in this order. One whose `uuid` the transcript already holds is left out; those
    /// without one are always appended. All of them are stored or none.
    ///
    /// A key may be 2000 bytes long and holds no NUL character; a longer one is [`StoreError::Invalid`].
    fn append<'a>(&'a self, key: &'a TranscriptKey, entries: &'a [Entry]) -> StoreFuture<'a, ()>;

    /// All entries in the order they were appended, deep-equal; `None` when nothing ever was.
    fn load<'a>(&'a self, key: &'a TranscriptKey) -> StoreFuture<'a, Option<Vec<Entry>>>;

    /// The sessions of a project that have a main transcript.
    fn list_sessions<'a>(&'a self, project_key: &'a str) -> StoreFuture<'a, Vec<StoredSession>>;

    /// The summaries of a project's sessions. Sub-agents never change them.
    fn list_session_summaries<'a>(&'a self, project_key: &'a str) -> StoreFuture<'a, Vec<SessionSummary>>;

    /// Deletes a transcript; a main one with all its subpaths and its summary.
    fn delete<'a>(&'a self, key: &'a TranscriptKey) -> StoreFuture<'a, ()>;

    /// The subpaths of a session.
    fn list_subkeys<'a>(&'a self, key: &'a TranscriptKey) -> StoreFuture<'a, Vec<String>>;

    /// The projects in which a session of this id has a main transcript.
    fn find<'a>(&'a self, session_id: &'a str) -> StoreFuture<'a, Vec<String>>;
}

/// A store that was chosen at run time.
pub type AnyTranscriptStore = Arc<dyn TranscriptStore>;
