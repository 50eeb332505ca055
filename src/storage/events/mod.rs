//! Durable event logs: an [`EventLog`] in SQLite or Postgres.
//!
//! - Events are stored before readers see them. An event id that a client has seen is never lost, and
//!   sequence numbers continue after a restart without a gap or reuse.
//! - One transaction stores everything that waits, of all streams.
//! - A stream has one writer, the process that opened it last. Appends of earlier writers fail with
//!   [`AppendError::Fenced`](crate::layers::resume::AppendError::Fenced).
//! - A reader gets events that are not in memory from the database, page by page, and then follows in memory
//!   without a gap.
//! - The whole history is kept, except the pieces of whole messages ([`Part`]) beyond the last 1000 events. A
//!   replay reports such a gap in a comment line, `: compacted 12-340`, with the first and the last sequence
//!   number that the reader misses. With [`DurableConfig::window_events`] only that number of newest events
//!   is kept, and nothing is compacted.
//! - While the database is unavailable, appends wait in a bounded queue, at most for
//!   [`DurableConfig::outage`].
//!
//! ```
//! use agent_webkit::{
//!     layers::resume::{Event, EventLog, EventStream},
//!     storage::{
//!         database::Database,
//!         events::{DurableConfig, DurableLog},
//!     },
//! };
//!
//! # #[cfg(feature = "sqlite")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("sessions.db");
//! let log = DurableLog::new(Database::sqlite(&path).await?, DurableConfig::default());
//! let stream = log.open("session").await?;
//! assert_eq!(stream.append(Event::new("letter", "a").into()).await?, 1..=1);
//! stream.release();
//!
//! let stream = log.open("session").await?;
//! assert_eq!(stream.append(Event::new("letter", "b").into()).await?, 2..=2);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "sqlite"))]
//! # fn main() {}
//! ```

mod any_log;
mod backend;
mod config;
mod error;
mod followed;
mod open_stream;
mod outage;
mod pages;
mod part;
mod replay;
mod retention;
mod stream;
mod tail;
mod writer;

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{Arc, MutexGuard},
    time::Duration,
};

use tokio::sync::{Semaphore, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::any_log::{AnyLog, AnyStream, AnyTail};
pub use self::config::DurableConfig;
pub use self::error::LogError;
pub use self::part::{Classify, Part, protocol_part};
pub use self::stream::DurableStream;
pub use self::tail::DurableTail;

use self::{
    backend::{StreamRow, Write},
    followed::Followers,
    open_stream::{Job, OpenStream, ROOM_UNIT, Shared, Table},
    outage::Outage,
    pages::Pages,
    replay::Source,
    writer::{Postponed, Writer},
};
use super::{database::Database, wake::Wake};
use crate::{
    layers::resume::{Event, EventLog},
    metrics::CommitTimes,
    sync::lock,
    unix_ms,
};

/// The key of the stream that is written to find out whether the log works. No session has such an id.
const CHECK: &str = "agent-webkit-check";

/// Number of idle streams that one transaction forgets.
const IDLE_AT_ONCE: usize = 500;

/// An [`EventLog`] in a database. Clones share their streams.
///
/// The log holds an open stream until it is closed, released or forgotten.
#[derive(Clone)]
pub struct DurableLog {
    core: Arc<Core>,
}

struct Core {
    source: Source,
    config: DurableConfig,
    open: Arc<Table>,
    jobs: mpsc::UnboundedSender<Job>,
    room: Arc<Semaphore>,
    /// Locks, chosen by the key's hash, so that two callers cannot open or forget a key at the same time: the
    /// second one to open it would fence the first.
    opening: [tokio::sync::Mutex<()>; 64],
    hasher: RandomState,
    followers: Followers,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl DurableLog {
    /// Creates an event log in this database. Must be called inside a tokio runtime: it spawns a task that
    /// stores what is appended, until the log and all its streams are dropped.
    #[must_use]
    pub fn new(database: Database, config: DurableConfig) -> Self {
        let host = database.host();
        Self::with_wake(database, config, Wake::new(host, false))
    }

    /// Like `new`, with the hints that this host exchanges with others.
    pub(in crate::storage) fn with_wake(database: Database, config: DurableConfig, wake: Wake) -> Self {
        let rows = backend::of(database);
        let (jobs, queue) = mpsc::unbounded_channel();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let writer = Writer {
            rows: Arc::clone(&rows),
            config: config.clone(),
            jobs: queue,
            stop: stop.clone(),
            outage: Outage::default(),
            times: CommitTimes::new(),
            postponed: Postponed::default(),
        };
        tasks.spawn(writer.run());
        let source = Source { rows, pages: Pages::new(config.replay_bytes), outage: config.outage };
        let followers = Followers {
            source: source.clone(),
            config: config.clone(),
            wake,
            table: Arc::default(),
            tasks: tasks.clone(),
            stop: stop.child_token(),
        };
        let core = Core {
            source,
            followers,
            open: Arc::default(),
            jobs,
            room: Arc::new(Semaphore::new(config.queue_bytes / ROOM_UNIT + 1)),
            config,
            opening: std::array::from_fn(|_| tokio::sync::Mutex::default()),
            hasher: RandomState::new(),
            tasks,
            stop,
        };
        Self { core: Arc::new(core) }
    }

    /// Writes and deletes a stream of its own, to find out whether the log works.
    pub(in crate::storage) async fn try_out(&self) -> Result<(), LogError> {
        let rows = &self.core.source.rows;
        let StreamRow { id, epoch, last: expected, .. } = rows.take(CHECK).await?;
        let (runs, outbox) = (Vec::new(), Vec::new());
        let mut write = Write { id, epoch, expected, note: None, close: false, runs, outbox };
        write.add(&Event::new("check", "{}"), Part::None);
        rows.commit(&[write]).await?;
        Ok(rows.forget(CHECK).await?)
    }

    /// Stores what waits, unless the database is unavailable, and releases all streams. Later appends fail.
    pub async fn shutdown(&self) {
        let core = &*self.core;
        self.end_followed();
        core.room.close();
        core.stop.cancel();
        core.tasks.close();
        core.tasks.wait().await;
        let open: Vec<_> = core.table().drain().map(|(_, open)| open).collect();
        for open in open {
            open.release();
        }
    }
}

impl EventLog for DurableLog {
    type Stream = DurableStream;
    type Error = LogError;

    /// If the key is open in this log already, returns the same stream, unless another process has taken it
    /// over.
    async fn open(&self, key: &str) -> Result<DurableStream, LogError> {
        let core = &*self.core;
        let _opening = core.opening(key).lock().await;
        let open = core.table().get(key).cloned();
        if let Some(open) = open {
            let row = core.source.rows.look(key).await?;
            if row.is_some_and(|row| (row.id, row.epoch) == (open.id, open.epoch)) {
                return Ok(DurableStream::open(open));
            }
            open.release();
        }
        let row = core.source.rows.take(key).await?;
        Ok(core.opened(key, &row))
    }

    async fn create(&self, key: &str) -> Result<Option<DurableStream>, LogError> {
        let core = &*self.core;
        let _opening = core.opening(key).lock().await;
        let row = core.source.rows.create(key).await?;
        Ok(row.map(|row| core.opened(key, &row)))
    }

    /// Returns the open stream, otherwise the stored one, which is read-only.
    async fn find(&self, key: &str) -> Result<Option<DurableStream>, LogError> {
        let core = &*self.core;
        let open = core.table().get(key).cloned();
        if let Some(open) = open {
            return Ok(Some(DurableStream::open(open)));
        }
        let row = core.source.rows.look(key).await?;
        Ok(row.map(|row| DurableStream::view(key, core.source.clone(), core.config.clone(), row)))
    }

    /// Follows the rows also where the stream is open: another process may have taken it over since, unnoticed here.
    async fn follow(&self, key: &str) -> Result<Option<DurableStream>, LogError> {
        let core = &*self.core;
        let row = core.source.rows.look(key).await?;
        Ok(row.map(|row| DurableStream::followed(key, core.followers.clone(), row)))
    }

    fn followed(&self) -> Vec<String> {
        self.core.followers.keys()
    }

    fn end_followed(&self) {
        self.core.followers.stop.cancel();
        self.core.followers.release();
    }

    async fn forget(&self, key: &str) -> Result<(), LogError> {
        let core = &*self.core;
        let _opening = core.opening(key).lock().await;
        let open = core.table().get(key).cloned();
        core.source.rows.forget(key).await?;
        if let Some(open) = open {
            open.forget();
        }
        core.followers.wake.grew(key);
        Ok(())
    }

    async fn forget_idle(&self, prefix: &str, idle: Duration) -> Result<u64, LogError> {
        let core = &*self.core;
        let before_ms =
            unix_ms::now_signed().saturating_sub(i64::try_from(idle.as_millis()).unwrap_or(i64::MAX));
        let mut total = 0;
        loop {
            let forgotten = core.source.rows.forget_idle(prefix, before_ms, IDLE_AT_ONCE).await?;
            for (id, key) in &forgotten {
                let open = core.table().get(key).filter(|open| open.id == *id).cloned();
                if let Some(open) = open {
                    open.forget();
                }
                core.followers.wake.grew(key);
            }
            total += forgotten.len() as u64;
            if forgotten.len() < IDLE_AT_ONCE {
                return Ok(total);
            }
        }
    }
}

impl Core {
    /// The stream of this row, of which this process is now the writer.
    fn opened(&self, key: &str, row: &StreamRow) -> DurableStream {
        let open = Arc::new(OpenStream::new(self.shared(), key, row));
        let replaced = match row.closed {
            true => None,
            false => self.table().insert(key.to_owned(), Arc::clone(&open)),
        };
        // Another process has forgotten it.
        if let Some(replaced) = replaced {
            replaced.release();
        }
        open.look_after();
        DurableStream::open(open)
    }

    fn shared(&self) -> Shared {
        Shared {
            source: self.source.clone(),
            config: self.config.clone(),
            jobs: self.jobs.clone(),
            room: Arc::clone(&self.room),
            table: Arc::downgrade(&self.open),
            wake: self.followers.wake.clone(),
        }
    }

    fn table(&self) -> MutexGuard<'_, std::collections::HashMap<String, Arc<OpenStream>>> {
        lock(&self.open)
    }

    fn opening(&self, key: &str) -> &tokio::sync::Mutex<()> {
        &self.opening[self.hasher.hash_one(key) as usize % self.opening.len()]
    }
}

impl fmt::Debug for DurableLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DurableLog")
            .field("config", &self.core.config)
            .field("open", &self.core.table().len())
            .finish_non_exhaustive()
    }
}
