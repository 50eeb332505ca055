//! A transcript store to which only the host that holds a session's lease can append.

use std::fmt;

use super::{Entry, SessionSummary, StoreError, StoreFuture, StoredSession, TranscriptKey, TranscriptStore};

/// A transcript store that can check the epoch of a session's lease, in `agent_webkit_sessions`, on append.
pub trait FencedAppend: TranscriptStore {
    /// Appends as [`TranscriptStore::append`] does, if the session's epoch equals `epoch`. Checks it in the
    /// same transaction, so that a host that has just lost the lease writes nothing.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] if the epoch differs or the session has no row.
    fn append_fenced<'a>(
        &'a self,
        key: &'a TranscriptKey,
        entries: &'a [Entry],
        epoch: i64,
    ) -> StoreFuture<'a, ()>;
}

/// A transcript store that appends only while this host holds the session's lease. Other calls pass through.
///
/// `held` returns the epoch of this host's lease on a session, or `None` if it holds none.
///
/// ```no_run
/// # #[cfg(feature = "postgres")]
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use std::{collections::HashMap, sync::{Arc, Mutex}};
///
/// use agent_webkit::storage::transcripts::{AnyTranscriptStore, Fenced, PgTranscripts};
///
/// let leases: Arc<Mutex<HashMap<String, i64>>> = Arc::default();
/// let held = Arc::clone(&leases);
/// let store = PgTranscripts::connect("postgres://sessions@db/agents", 1, 10).await?;
/// let store: AnyTranscriptStore =
///     Arc::new(Fenced::new(store, move |session: &str| held.lock().unwrap().get(session).copied()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Fenced<S, F> {
    store: S,
    held: F,
}

impl<S, F> Fenced<S, F> {
    /// Appends to `store` with the epochs that `held` returns.
    pub const fn new(store: S, held: F) -> Self {
        Self { store, held }
    }
}

impl<S: fmt::Debug, F> fmt::Debug for Fenced<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fenced").field("store", &self.store).finish_non_exhaustive()
    }
}

impl<S, F> TranscriptStore for Fenced<S, F>
where
    S: FencedAppend,
    F: Fn(&str) -> Option<i64> + Send + Sync + 'static,
{
    fn append<'a>(&'a self, key: &'a TranscriptKey, entries: &'a [Entry]) -> StoreFuture<'a, ()> {
        match (self.held)(&key.session_id) {
            Some(epoch) => self.store.append_fenced(key, entries, epoch),
            None => Box::pin(async { Err(StoreError::Fenced) }),
        }
    }

    fn load<'a>(&'a self, key: &'a TranscriptKey) -> StoreFuture<'a, Option<Vec<Entry>>> {
        self.store.load(key)
    }

    fn list_sessions<'a>(&'a self, project_key: &'a str) -> StoreFuture<'a, Vec<StoredSession>> {
        self.store.list_sessions(project_key)
    }

    fn list_session_summaries<'a>(&'a self, project_key: &'a str) -> StoreFuture<'a, Vec<SessionSummary>> {
        self.store.list_session_summaries(project_key)
    }

    fn delete<'a>(&'a self, key: &'a TranscriptKey) -> StoreFuture<'a, ()> {
        self.store.delete(key)
    }

    fn list_subkeys<'a>(&'a self, key: &'a TranscriptKey) -> StoreFuture<'a, Vec<String>> {
        self.store.list_subkeys(key)
    }

    fn find<'a>(&'a self, session_id: &'a str) -> StoreFuture<'a, Vec<String>> {
        self.store.find(session_id)
    }
}
