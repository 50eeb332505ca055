//! One database for sessions, their events and their transcripts.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Mutex, time::timeout};

#[cfg(feature = "postgres")]
use super::transcripts::PgTranscripts;
#[cfg(feature = "sqlite")]
use super::transcripts::SqliteTranscripts;
#[cfg(feature = "nats")]
use super::wake::{Bus, Nats};
#[cfg(feature = "postgres")]
use super::wake::{Notifications, Presence, Speaker};
use super::{
    DbTickets, Persistence,
    catalog::{Catalog, DEFAULT_LEASE, DbCatalog},
    database::{Component, Database},
    events::{DurableConfig, DurableLog},
    inbox::{DbEntries, Inbox},
    outbox::{DbRecords, Outbox},
    subscriptions::{DbDevices, Subscriptions},
    transcripts::{AnyTranscriptStore, Entry, Fenced, StoreError, TranscriptKey},
    wake::Wake,
};
use crate::{error_text::with_sources, layers::ticket::BoxTicketStore};

/// Maximum time for [`Storage::check`] to try whether a component works again.
const CHECK: Duration = Duration::from_secs(5);

/// The session catalog, event log, transcript store and ticket store in one [`Database`]. Clones share them.
///
/// Hosts on one Postgres server, or processes on one SQLite file, share the sessions. Each session runs on
/// one of them at a time: a host can write for a session only under the lease that it holds.
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
    tickets: BoxTicketStore,
    inbox: Inbox,
    outbox: Outbox,
    subscriptions: Subscriptions,
    /// The transcript store, without leases.
    unfenced: AnyTranscriptStore,
    checking: Arc<Mutex<()>>,
    #[cfg(feature = "postgres")]
    speaker: Option<Arc<Speaker>>,
    #[cfg(feature = "postgres")]
    presence: Option<Arc<Presence>>,
}

/// What of a [`Storage`] does not work: one sentence, without passwords.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StorageFault(String);

/// How sessions are stored.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StorageConfig {
    /// Lifetime of a lease on Postgres. A host that does not renew its leases for this time may lose its
    /// sessions to other hosts. Default 15 s.
    pub lease: Duration,
    /// The configuration of the durable event log.
    pub events: DurableConfig,
    /// The NATS server by which hosts hear that a stream has grown or a message waits. Without one (the default) they
    /// hear by Postgres' notifications; on SQLite and behind a pooler of transactions, by a look at the database every
    /// second. So they do while the NATS server is away.
    #[cfg(feature = "nats")]
    pub bus: Option<Bus>,
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

    /// Sets [`StorageConfig::bus`].
    #[cfg(feature = "nats")]
    #[must_use]
    pub fn bus(mut self, bus: Bus) -> Self {
        self.bus = Some(bus);
        self
    }

    const fn has_bus(&self) -> bool {
        #[cfg(feature = "nats")]
        let has_bus = self.bus.is_some();
        #[cfg(not(feature = "nats"))]
        let has_bus = false;
        has_bus
    }
}

impl Default for StorageConfig {
    fn default() -> Self {
        Self {
            lease: DEFAULT_LEASE,
            events: DurableConfig::default(),
            #[cfg(feature = "nats")]
            bus: None,
        }
    }
}

impl Storage {
    /// Stores sessions in this database. Must be called inside a tokio runtime.
    #[must_use]
    pub fn new(database: Database, config: StorageConfig) -> Self {
        let catalog =
            Arc::new(DbCatalog::with_window(database.clone(), config.lease, config.events.window_events));
        let held = Arc::clone(&catalog);
        let held = move |session_id: &str| held.epoch(session_id);
        let (unfenced, transcripts): (AnyTranscriptStore, AnyTranscriptStore) = match &database {
            #[cfg(feature = "sqlite")]
            Database::Sqlite(file) => {
                let store = SqliteTranscripts::new(file.clone());
                (Arc::new(store.clone()), Arc::new(Fenced::new(store, held)))
            }
            #[cfg(feature = "postgres")]
            Database::Postgres(server) => {
                let store = PgTranscripts::new(server.clone());
                (Arc::new(store.clone()), Arc::new(Fenced::new(store, held)))
            }
        };
        let has_bus = config.has_bus();
        let wake = Wake::new(catalog.host(), has_bus || database.has_own_connections());
        #[cfg(feature = "postgres")]
        let speaker = speaker(&config, &database, &wake).map(Arc::new);
        #[cfg(feature = "postgres")]
        let presence = match &database {
            Database::Postgres(server) if !server.is_pooled() => {
                let hears = (!has_bus).then(|| wake.clone());
                Some(Arc::new(Presence::start(server.clone(), catalog.host(), hears)))
            }
            _ => None,
        };
        let inbox = Inbox(Arc::new(DbEntries::new(database.clone(), catalog.host(), wake.clone())));
        let outbox = Outbox(Arc::new(DbRecords::new(database.clone())));
        let subscriptions = Subscriptions(Arc::new(DbDevices::new(database.clone())));
        let log = DurableLog::with_wake(database.clone(), config.events, wake);
        let tickets = BoxTicketStore::new(DbTickets::new(database.clone()));
        Self {
            database,
            log,
            catalog,
            transcripts,
            tickets,
            inbox,
            outbox,
            subscriptions,
            unfenced,
            checking: Arc::default(),
            #[cfg(feature = "postgres")]
            speaker,
            #[cfg(feature = "postgres")]
            presence,
        }
    }

    /// The durable event log.
    #[must_use]
    pub fn log(&self) -> &DurableLog {
        &self.log
    }

    /// The transcript store. It accepts entries only for sessions whose lease this host holds.
    #[must_use]
    pub fn transcripts(&self) -> &AnyTranscriptStore {
        &self.transcripts
    }

    /// The session catalog, the transcript store and the ticket store.
    #[must_use]
    pub fn persistence(&self) -> Persistence {
        let catalog: Arc<dyn Catalog> = Arc::clone(&self.catalog) as _;
        let (transcripts, tickets) = (Arc::clone(&self.transcripts), self.tickets.clone());
        let (inbox, outbox) = (Some(self.inbox.clone()), Some(self.outbox.clone()));
        let subscriptions = Some(self.subscriptions.clone());
        Persistence { catalog, transcripts, tickets, inbox, outbox, subscriptions }
    }

    /// Checks that sessions can be stored, for a readiness probe. While everything works this only looks at how
    /// the last calls ended. A component whose last call failed is tried with a write of its own.
    ///
    /// # Errors
    /// What does not work, and why.
    pub async fn check(&self) -> Result<(), StorageFault> {
        let health = self.database.health();
        let faulty = health.faulty();
        if !faulty.is_empty() {
            // One at a time, however many ask; the others hear how the last try ended.
            if let Ok(_alone) = self.checking.try_lock() {
                // What happens in time is noted by the calls themselves.
                let _ = timeout(CHECK, self.try_out(&faulty)).await;
            }
        }
        health.fault().map_or(Ok(()), |why| Err(StorageFault(why)))
    }

    async fn try_out(&self, faulty: &[Component]) {
        for component in faulty {
            let error = match component {
                Component::Catalog => self.catalog.try_out().await.err().map(|error| with_sources(&error)),
                Component::Events => self.log.try_out().await.err().map(|error| with_sources(&error)),
                Component::Transcripts => {
                    self.try_transcripts().await.err().map(|error| with_sources(&error))
                }
            };
            tracing::debug!(?component, error, "tried whether it works again");
        }
    }

    async fn try_transcripts(&self) -> Result<(), StoreError> {
        let key = TranscriptKey::main("agent-webkit-check", self.database.host());
        let entry: Entry = r#"{"type":"check"}"#.parse().expect("it is an object");
        self.unfenced.append(&key, &[entry]).await?;
        self.unfenced.delete(&key).await
    }

    /// Stores the events that still wait, and closes a SQLite file, so that it is complete without its
    /// write-ahead log. Call it after the sessions have been shut down.
    pub async fn shutdown(&self) {
        self.log.shutdown().await;
        #[cfg(feature = "postgres")]
        if let Some(presence) = &self.presence {
            presence.end().await;
        }
        #[cfg(feature = "postgres")]
        if let Some(speaker) = &self.speaker {
            speaker.end().await;
        }
        self.database.close().await;
    }
}

/// What carries hints to the other hosts, if anything does.
#[cfg(feature = "postgres")]
#[cfg_attr(not(feature = "nats"), expect(unused_variables, reason = "only NATS is configured"))]
fn speaker(config: &StorageConfig, database: &Database, wake: &Wake) -> Option<Speaker> {
    #[cfg(feature = "nats")]
    if let Some(bus) = &config.bus {
        return Some(Speaker::start(Nats::connect(bus.clone(), wake.clone()), wake.clone()));
    }
    match database {
        Database::Postgres(server) if !server.is_pooled() => {
            let notifications = Notifications::new(server.clone(), wake.clone());
            Some(Speaker::start(std::future::ready(notifications), wake.clone()))
        }
        _ => None,
    }
}
