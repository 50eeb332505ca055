//! One database for the rows, the events and the transcripts of sessions.

use std::{sync::Arc, time::Duration};

#[cfg(feature = "postgres")]
use super::transcripts::PgTranscripts;
#[cfg(feature = "sqlite")]
use super::transcripts::SqliteTranscripts;
use super::{
    Persistence,
    catalog::{Catalog, DEFAULT_LEASE, DbCatalog},
    database::Database,
    events::{DurableConfig, DurableLog},
    transcripts::{AnyTranscriptStore, Fenced},
};

/// A [`Database`] with everything that sessions keep in it. Clones share it.
///
/// What a host writes for a session it does under the lease that it holds; hosts on one Postgres and servers on
/// one SQLite file share the sessions, and each session runs on one of them at a time.
///
/// ```
/// use agent_webkit::storage::{Storage, StorageConfig, database::Database};
///
/// # #[cfg(feature = "sqlite")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("sessions.db");
/// let storage = Storage::new(Database::sqlite(&path).await?, StorageConfig::default());
/// // A stack that uses it: `Stack::builder(agent, policy).storage(&storage)`.
/// # drop(storage);
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "sqlite"))]
/// # fn main() {}
/// ```
#[derive(Clone, Debug)]
pub struct Storage {
    database: Database,
    log: DurableLog,
    catalog: Arc<DbCatalog>,
    transcripts: AnyTranscriptStore,
}

/// How sessions are kept.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StorageConfig {
    /// A host on Postgres that was not heard of for so long may lose its sessions to others. Default 15 s.
    pub lease: Duration,
    /// What is kept of events.
    pub events: DurableConfig,
}

impl StorageConfig {
    /// Sets [`StorageConfig::lease`].
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Sets [`StorageConfig::events`].
    #[must_use]
    pub fn events(mut self, events: DurableConfig) -> Self {
        self.events = events;
        self
    }
}

impl Default for StorageConfig {
    fn default() -> Self {
        Self { lease: DEFAULT_LEASE, events: DurableConfig::default() }
    }
}

impl Storage {
    /// Keeps sessions in this database. Must be called inside a tokio runtime.
    #[must_use]
    pub fn new(database: Database, config: StorageConfig) -> Self {
        let catalog = Arc::new(DbCatalog::new(database.clone(), config.lease));
        let held = Arc::clone(&catalog);
        let held = move |session_id: &str| held.epoch(session_id);
        let transcripts: AnyTranscriptStore = match &database {
            #[cfg(feature = "sqlite")]
            Database::Sqlite(file) => Arc::new(Fenced::new(SqliteTranscripts::new(file.clone()), held)),
            #[cfg(feature = "postgres")]
            Database::Postgres(pool) => Arc::new(Fenced::new(PgTranscripts::new(pool.clone()), held)),
        };
        let log = DurableLog::new(database.clone(), config.events);
        Self { database, log, catalog, transcripts }
    }

    /// The events.
    #[must_use]
    pub fn log(&self) -> &DurableLog {
        &self.log
    }

    /// What the agents remember. Entries are taken for sessions that this host runs.
    #[must_use]
    pub fn transcripts(&self) -> &AnyTranscriptStore {
        &self.transcripts
    }

    /// The rows and the transcripts.
    #[must_use]
    pub fn persistence(&self) -> Persistence {
        let catalog: Arc<dyn Catalog> = Arc::clone(&self.catalog) as _;
        Persistence { catalog, transcripts: Arc::clone(&self.transcripts) }
    }

    /// Stores what still waits, and closes a SQLite file, so that it is whole without its log. Call it when the
    /// sessions have been shut down.
    pub async fn shutdown(&self) {
        self.log.shutdown().await;
        self.database.close().await;
    }
}
