//! The SQL backend of a durable event log: one trait, with an implementation for each database.

#[cfg(feature = "postgres")]
mod postgres;
mod run;
#[cfg(feature = "sqlite")]
mod sqlite;
mod statements;

use std::{collections::VecDeque, fmt, future::Future, ops::RangeInclusive, pin::Pin, sync::Arc};

use bytes::Bytes;

pub(super) use self::run::{Run, StoredEvent};
use super::part::Part;
use crate::{layers::resume::Event, storage::database::Database};

pub(super) type BackendFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, sqlx::Error>> + Send + 'a>>;

/// A stream's row.
#[derive(Clone, Debug)]
pub(super) struct StreamRow {
    pub(super) id: i64,
    pub(super) epoch: i64,
    pub(super) oldest: u64,
    pub(super) last: u64,
    /// Compaction has examined the events up to this sequence number.
    pub(super) compacted: u64,
    pub(super) closed: bool,
    pub(super) note: Option<Bytes>,
}

/// What one group stores in one stream.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) id: i64,
    pub(super) epoch: i64,
    /// The stream's last sequence number before the write, which takes effect only if it matches: a retry is
    /// not stored twice.
    pub(super) expected: u64,
    pub(super) note: Option<Bytes>,
    pub(super) close: bool,
    pub(super) runs: Vec<Run>,
    /// Records for the outbox, which are stored if the write is.
    pub(super) outbox: Vec<Bytes>,
}

impl Write {
    pub(super) fn add(&mut self, event: &Event, part: Part) {
        if !self.runs.last_mut().is_some_and(|run| run.takes(event, &part)) {
            self.runs.push(Run::new(event, part));
        }
    }

    pub(super) fn last(&self) -> u64 {
        self.expected + self.runs.iter().map(Run::events).sum::<u64>()
    }

    /// The runs, with the sequence numbers of their events.
    pub(super) fn numbered(&self) -> impl Iterator<Item = (RangeInclusive<u64>, &Run)> {
        self.runs.iter().scan(self.expected, |last, run| {
            let first = *last + 1;
            *last += run.events();
            Some((first..=*last, run))
        })
    }

    /// Whether the stream's row is as this write leaves it. If the write did not take effect just now, an
    /// earlier try has stored it.
    fn is_stored_as(&self, epoch: i64, last: i64) -> bool {
        epoch == self.epoch && last == signed(self.last())
    }
}

/// A page of a stream's events, in order.
#[derive(Debug)]
pub(super) struct Page {
    /// Where the stream starts now. Events that are missing from here on were compacted.
    pub(super) oldest: u64,
    /// The memory that it takes, in bytes, until the last of its events is dropped.
    pub(super) size: usize,
    pub(super) events: VecDeque<StoredEvent>,
}

pub(super) trait SqlBackend: fmt::Debug + Send + Sync + 'static {
    /// Makes the caller the stream's writer. Creates the stream if there is none.
    fn take<'a>(&'a self, key: &'a str) -> BackendFuture<'a, StreamRow>;

    /// Creates the stream with the caller as its writer. `None` if there is one already.
    fn create<'a>(&'a self, key: &'a str) -> BackendFuture<'a, Option<StreamRow>>;

    fn look<'a>(&'a self, key: &'a str) -> BackendFuture<'a, Option<StreamRow>>;

    /// Stores the writes and returns for each of them whether it is stored. A write is not stored if its
    /// stream has another writer or is gone. A write that an earlier try has stored, whose answer was lost,
    /// is not stored again.
    fn commit<'a>(&'a self, writes: &'a [Write]) -> BackendFuture<'a, Vec<bool>>;

    /// Reads events after `after` up to `until`: at least one, if any, and no further row once these have `bytes`. `None` if
    /// the stream is gone.
    fn page(&self, id: i64, after: u64, until: u64, bytes: usize) -> BackendFuture<'_, Option<Page>>;

    /// Reads the newest events with this name, newest first.
    fn newest<'a>(&'a self, id: i64, name: &'a str, limit: usize) -> BackendFuture<'a, Vec<StoredEvent>>;

    fn forget<'a>(&'a self, key: &'a str) -> BackendFuture<'a, ()>;

    /// Forgets streams whose keys begin with `prefix` and that were neither opened nor written since `before_ms`, up to
    /// `limit` of them. Returns their ids and keys.
    fn forget_idle<'a>(
        &'a self,
        prefix: &'a str,
        before_ms: i64,
        limit: usize,
    ) -> BackendFuture<'a, Vec<(i64, String)>>;

    /// Removes the events before `oldest`.
    fn trim(&self, id: i64, epoch: i64, oldest: u64) -> BackendFuture<'_, ()>;

    /// Removes the message pieces after `after` up to `until` whose whole message comes later.
    fn compact(&self, id: i64, epoch: i64, after: u64, until: u64) -> BackendFuture<'_, ()>;
}

pub(super) fn of(database: Database) -> Arc<dyn SqlBackend> {
    match database {
        #[cfg(feature = "sqlite")]
        Database::Sqlite(file) => Arc::new(sqlite::SqliteBackend::new(file)),
        #[cfg(feature = "postgres")]
        Database::Postgres(server) => Arc::new(postgres::PostgresBackend::new(server)),
    }
}

/// SQL integers are signed. A sequence number never comes near the limit.
fn signed(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

fn unsigned(seq: i64) -> u64 {
    u64::try_from(seq).unwrap_or(0)
}

type StreamTuple = (i64, i64, i64, i64, i64, bool, Option<Vec<u8>>);

fn stream_row((id, epoch, oldest, last, compacted, closed, note): StreamTuple) -> StreamRow {
    let [oldest, last, compacted] = [oldest, last, compacted].map(unsigned);
    StreamRow { id, epoch, oldest, last, compacted, closed, note: note.map(Bytes::from) }
}

type PageTuple = (i64, Option<i64>, Option<String>, Option<Vec<u8>>, Option<String>);

/// Collects the events in range. If there are none, a single row holds only the stream's own column.
fn page(rows: Vec<PageTuple>, after: u64, until: u64) -> Result<Option<Page>, sqlx::Error> {
    let Some(oldest) = rows.first().map(|row| unsigned(row.0)) else { return Ok(None) };
    let (mut size, mut events) = (0, VecDeque::new());
    for (_, last, name, data, sizes) in rows {
        if let (Some(last), Some(name), Some(data)) = (last, name, data) {
            size += data.len();
            events.extend(run::unpack((last, name, data, sizes))?);
        }
    }
    events.retain(|event| event.seq > after && event.seq <= until);
    events.shrink_to_fit();
    size += events.len() * size_of::<StoredEvent>();
    Ok(Some(Page { oldest, size, events }))
}

/// The methods whose SQL is the same in both databases; `call` applies the database's policy for
/// calls, `reads` and `writes` give a connection for one statement, and `done` keeps what it did.
macro_rules! shared_backend {
    () => {
        fn take<'a>(&'a self, key: &'a str) -> BackendFuture<'a, StreamRow> {
            self.call(Component::Events.writes(), async move {
                write_row!(self, statements::TAKE, key).ok_or(sqlx::Error::RowNotFound)
            })
        }

        fn create<'a>(&'a self, key: &'a str) -> BackendFuture<'a, Option<StreamRow>> {
            self.call(
                Component::Events.writes(),
                async move { Ok(write_row!(self, statements::CREATE, key)) },
            )
        }

        fn look<'a>(&'a self, key: &'a str) -> BackendFuture<'a, Option<StreamRow>> {
            self.call(Component::Events.reads(), async move {
                let mut connection = self.reads().await?;
                let row = sqlx::query_as(statements::LOOK).bind(key).fetch_optional(&mut *connection).await?;
                self.done(connection).await?;
                Ok(row.map(stream_row))
            })
        }

        fn page(&self, id: i64, after: u64, until: u64, bytes: usize) -> BackendFuture<'_, Option<Page>> {
            self.call(Component::Events.reads(), async move {
                let page_query =
                    sqlx::query_as(statements::PAGE).bind(id).bind(signed(after)).bind(signed(until));
                let page_query = page_query.bind(statements::PAGE_EVENTS).bind(bytes as i64);
                let mut connection = self.reads().await?;
                let rows = page_query.fetch_all(&mut *connection).await?;
                self.done(connection).await?;
                page(rows, after, until)
            })
        }

        fn newest<'a>(&'a self, id: i64, name: &'a str, limit: usize) -> BackendFuture<'a, Vec<StoredEvent>> {
            self.call(Component::Events.reads(), async move {
                let limit_rows = i64::try_from(limit).unwrap_or(i64::MAX);
                let newest = sqlx::query_as(statements::NEWEST).bind(id).bind(name).bind(limit_rows);
                let mut connection = self.reads().await?;
                let rows = newest.fetch_all(&mut *connection).await?;
                self.done(connection).await?;
                let mut events = Vec::new();
                for row in rows {
                    events.extend(run::unpack(row)?.into_iter().rev());
                }
                events.truncate(limit);
                Ok(events)
            })
        }

        fn forget<'a>(&'a self, key: &'a str) -> BackendFuture<'a, ()> {
            self.call(Component::Events.writes().of_many_rows(), async move {
                let mut transaction = self.begin().await?;
                // The stream's row first: this waits for a concurrent writer, and later ones find no row.
                let id: Option<(i64,)> = sqlx::query_as(statements::FORGET_STREAM)
                    .bind(key)
                    .fetch_optional(&mut *transaction)
                    .await?;
                if let Some((id,)) = id {
                    sqlx::query(statements::FORGET_EVENTS).bind(id).execute(&mut *transaction).await?;
                }
                transaction.commit().await
            })
        }

        fn forget_idle<'a>(
            &'a self,
            prefix: &'a str,
            before_ms: i64,
            limit: usize,
        ) -> BackendFuture<'a, Vec<(i64, String)>> {
            self.call(Component::Events.writes().of_many_rows(), async move {
                let length = i32::try_from(prefix.chars().count()).unwrap_or(i32::MAX);
                let forget = sqlx::query_as(statements::FORGET_IDLE).bind(prefix).bind(length);
                let forget = forget.bind(before_ms).bind(i64::try_from(limit).unwrap_or(i64::MAX));
                let mut transaction = self.begin().await?;
                let forgotten: Vec<(i64, String)> = forget.fetch_all(&mut *transaction).await?;
                for (id, _) in &forgotten {
                    sqlx::query(statements::FORGET_EVENTS).bind(id).execute(&mut *transaction).await?;
                }
                transaction.commit().await?;
                Ok(forgotten)
            })
        }

        fn trim(&self, id: i64, epoch: i64, oldest: u64) -> BackendFuture<'_, ()> {
            self.call(Component::Events.writes(), async move {
                let mut transaction = self.begin().await?;
                let mark = sqlx::query(statements::MARK_TRIMMED).bind(id).bind(epoch).bind(signed(oldest));
                if mark.execute(&mut *transaction).await?.rows_affected() == 1 {
                    let trim = sqlx::query(statements::TRIM).bind(id).bind(signed(oldest));
                    trim.execute(&mut *transaction).await?;
                    let across = sqlx::query_as(statements::TRIMMED_RUN).bind(id).bind(signed(oldest));
                    let across = across.fetch_optional(&mut *transaction).await?;
                    cut_run!(&mut *transaction, id, across, oldest);
                }
                transaction.commit().await
            })
        }

        fn compact(&self, id: i64, epoch: i64, after: u64, until: u64) -> BackendFuture<'_, ()> {
            self.call(Component::Events.writes(), async move {
                let mut transaction = self.begin().await?;
                let mark = sqlx::query(statements::MARK_COMPACTED).bind(id).bind(epoch).bind(signed(until));
                if mark.execute(&mut *transaction).await?.rows_affected() == 1 {
                    let compact =
                        sqlx::query(statements::COMPACT).bind(id).bind(signed(after)).bind(signed(until));
                    compact.execute(&mut *transaction).await?;
                    let across = sqlx::query_as(statements::COMPACTED_RUN).bind(id).bind(signed(until + 1));
                    let across = across.fetch_optional(&mut *transaction).await?;
                    cut_run!(&mut *transaction, id, across, until + 1);
                }
                transaction.commit().await
            })
        }
    };
}
use shared_backend;

/// The row that a statement about a key has written, if any.
macro_rules! write_row {
    ($backend:ident, $statement:expr, $key:expr) => {{
        let mut connection = $backend.writes().await?;
        let rows = sqlx::query_as($statement).bind($key).bind(unix_ms::now_signed());
        // All rows, of which there is one: SQLite commits after the last, and may fail only then.
        let rows = rows.fetch_all(&mut *connection).await?;
        $backend.done(connection).await?;
        rows.into_iter().next().map(stream_row)
    }};
}
use write_row;

/// Removes the events before `first` from the run that contains both.
macro_rules! cut_run {
    ($connection:expr, $id:expr, $across:expr, $first:expr) => {
        if let Some(across) = $across {
            let across: run::RunTuple = across;
            let seq = across.0;
            let (events, data, sizes) = run::cut(across, $first)?;
            let cut = sqlx::query(statements::CUT).bind($id).bind(seq).bind(events).bind(data).bind(sizes);
            cut.execute($connection).await?;
        }
    };
}
use cut_run;
