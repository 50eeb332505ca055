//! The session catalog in a database.

use std::{
    collections::HashMap,
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, SystemTime},
};

use sqlx::{FromRow, Row};

use super::{
    Acquired, Catalog, CatalogError, CatalogFuture, Lease, Page, SessionMetadata, SessionRecord, Spent,
    StreamRecord, query,
    statements::Sql,
    text::{read, stored},
};
use crate::{
    metrics,
    proto::DayCost,
    storage::database::{Database, millis},
    sync::lock,
};

/// Default lifetime of a lease. A host that does not renew its leases for this time may lose its sessions.
pub const DEFAULT_LEASE: Duration = Duration::from_secs(15);

/// Time that a host has to delete the data of a session it tombstoned, before a sweep does it.
const TOMBSTONE_LIFETIME: Duration = Duration::from_secs(60);

/// The session catalog of all hosts that share a [`Database`].
///
/// On Postgres, leases expire by the server's clock. Processes that share a SQLite file run on one machine
/// and know which of them are alive: a session stays with its process until that process has ended.
#[derive(Clone)]
pub struct DbCatalog {
    inner: Arc<Inner>,
}

struct Inner {
    db: Database,
    sql: Sql,
    host: String,
    lease: Duration,
    /// The number of newest events that a stream shows, if not all.
    window: Option<u64>,
    held: Mutex<HashMap<String, i64>>,
}

impl DbCatalog {
    /// Creates the catalog in this database. `lease` is the lifetime of a lease, see [`DEFAULT_LEASE`].
    #[must_use]
    pub fn new(db: Database, lease: Duration) -> Self {
        Self::with_window(db, lease, None)
    }

    /// Like `new`, for streams that show only this number of newest events.
    pub(in crate::storage) fn with_window(db: Database, lease: Duration, window: Option<u64>) -> Self {
        let sql = Sql::new(&db);
        let host = db.host();
        Self { inner: Arc::new(Inner { db, sql, host, lease, window, held: Mutex::default() }) }
    }

    /// Writes and deletes a row that no caller sees, to find out whether the catalog works.
    pub(in crate::storage) async fn try_out(&self) -> Result<(), CatalogError> {
        let id = format!("check-{}", self.inner.host);
        let record = SessionRecord::new(&id, Some("agent-webkit-check"), "/", SystemTime::now());
        match self.create(&record).await {
            // Left over from a try that did not get further.
            Ok(_) | Err(CatalogError::Exists) => {}
            Err(error) => return Err(error),
        }
        self.tombstone(&id).await?;
        self.forget(&id).await
    }

    /// This host's name among those that share the database.
    pub(in crate::storage) fn host(&self) -> &str {
        &self.inner.host
    }

    fn held(&self) -> MutexGuard<'_, HashMap<String, i64>> {
        lock(&self.inner.held)
    }

    fn lost(&self, lease: &Lease) {
        let mut held = self.held();
        if held.get(&lease.session_id) == Some(&lease.epoch) {
            held.remove(&lease.session_id);
        }
    }

    /// Acquires the session for this host if it is free, and returns the new epoch.
    async fn take(&self, id: &str) -> Result<Option<i64>, CatalogError> {
        query!(&self.inner.db, writes, |connection| sqlx::query_scalar::<_, i64>(self.sql().acquire())
            .bind(stored(id))
            .bind(&self.inner.host)
            .bind(self.lease_ms())
            .fetch_all(connection))
        .map(|epochs| epochs.first().copied())
    }

    /// If this session's holder is known to be dead, releases the session and returns `true`.
    async fn free_from_the_dead(&self, id: &str) -> Result<bool, CatalogError> {
        let holder =
            query!(&self.inner.db, reads, |connection| sqlx::query_scalar::<_, String>(self.sql().holder())
                .bind(stored(id))
                .fetch_optional(connection))?;
        let Some(holder) = holder.filter(|holder| *holder != self.inner.host) else { return Ok(false) };
        if !self.inner.db.finds_dead(&holder).await.map_err(CatalogError::of)? {
            return Ok(false);
        }
        tracing::info!(session = id, "the session's host is dead");
        metrics::taken_over();
        query!(&self.inner.db, writes, |connection| async {
            sqlx::query(self.sql().free())
                .bind(stored(id))
                .bind(holder)
                .execute(connection)
                .await
                .map(|_| true)
        })
    }

    fn record(&self, Stored { mut record, holder }: Stored) -> SessionRecord {
        if let (Some(stream), Some(window)) = (&mut record.stream, self.inner.window) {
            // Events beyond the window are deleted a while later.
            stream.oldest_seq = stream.oldest_seq.max((stream.last_seq + 1).saturating_sub(window));
        }
        let is_alive = |holder: String| holder != self.inner.host && !self.inner.db.knows_dead(&holder);
        SessionRecord { elsewhere: holder.is_some_and(is_alive), ..record }
    }

    fn sql(&self) -> &Sql {
        &self.inner.sql
    }

    fn lease_ms(&self) -> i64 {
        millis(self.inner.lease)
    }
}

impl Catalog for DbCatalog {
    fn create<'a>(&'a self, record: &'a SessionRecord) -> CatalogFuture<'a, Lease> {
        Box::pin(async move {
            let metadata = &record.metadata;
            let cwd = record.cwd.to_string_lossy();
            let made = query!(&self.inner.db, writes, |connection| async {
                sqlx::query(self.sql().create())
                    .bind(stored(&record.id))
                    .bind(record.owner.as_deref().map(stored))
                    .bind(stored(&cwd))
                    .bind(metadata.model.as_deref().map(stored))
                    .bind(metadata.permission_mode.as_deref().map(stored))
                    .bind(metadata.title.as_deref().map(stored))
                    .bind(stored(&metadata.status))
                    .bind(metadata.wakes_at_ms)
                    .bind(record.created_at_ms)
                    .bind(&self.inner.host)
                    .bind(self.lease_ms())
                    .bind(record.profile.as_deref().map(stored))
                    .execute(connection)
                    .await
                    .map(|made| made.rows_affected())
            })?;
            if made == 0 {
                return Err(CatalogError::Exists);
            }
            let lease = Lease { session_id: record.id.clone(), epoch: 1 };
            self.held().insert(record.id.clone(), lease.epoch);
            Ok(lease)
        })
    }

    fn find<'a>(&'a self, id: &'a str) -> CatalogFuture<'a, Option<SessionRecord>> {
        Box::pin(async move {
            query!(&self.inner.db, reads, |connection| sqlx::query_as::<_, Stored>(self.sql().find())
                .bind(stored(id))
                .fetch_optional(connection))
            .map(|found| found.map(|found| self.record(found)))
        })
    }

    fn list<'a>(&'a self, owner: Option<&'a str>) -> CatalogFuture<'a, Vec<SessionRecord>> {
        Box::pin(async move {
            query!(&self.inner.db, reads, |connection| sqlx::query_as::<_, Stored>(self.sql().list())
                .bind(owner.map(stored))
                .fetch_all(connection))
            .map(|found| found.into_iter().map(|found| self.record(found)).collect())
        })
    }

    fn list_page<'a>(
        &'a self,
        owner: Option<&'a str>,
        page: &'a Page,
    ) -> CatalogFuture<'a, Vec<SessionRecord>> {
        Box::pin(async move {
            let before = page.before.as_ref();
            let (created_at_ms, id) = before.map_or((i64::MAX, ""), |end| (end.created_at_ms, &*end.id));
            let limit = i64::try_from(page.limit).unwrap_or(i64::MAX);
            query!(&self.inner.db, reads, |connection| sqlx::query_as::<_, Stored>(self.sql().list_page())
                .bind(owner.map(stored))
                .bind(created_at_ms)
                .bind(stored(id))
                .bind(limit)
                .fetch_all(connection))
            .map(|found| found.into_iter().map(|found| self.record(found)).collect())
        })
    }

    fn acquire<'a>(&'a self, id: &'a str) -> CatalogFuture<'a, Acquired> {
        Box::pin(async move {
            let mut epoch = self.take(id).await?;
            if epoch.is_none() && self.free_from_the_dead(id).await? {
                epoch = self.take(id).await?;
            }
            if let Some(epoch) = epoch {
                self.held().insert(id.to_owned(), epoch);
                let record = self.find(id).await?;
                let lease = Lease { session_id: id.to_owned(), epoch };
                return Ok(record.map_or(Acquired::Unknown, |record| Acquired::Leased(record.into(), lease)));
            }
            let left = query!(&self.inner.db, reads, |connection| sqlx::query_scalar::<_, i64>(
                self.sql().lease_left()
            )
            .bind(stored(id))
            .fetch_optional(connection))?;
            Ok(left.map_or(Acquired::Unknown, |left| {
                Acquired::Held(Duration::from_millis(u64::try_from(left).unwrap_or(0)))
            }))
        })
    }

    fn free_if_dead<'a>(&'a self, id: &'a str) -> CatalogFuture<'a, bool> {
        Box::pin(self.free_from_the_dead(id))
    }

    fn seize<'a>(&'a self, id: &'a str) -> CatalogFuture<'a, ()> {
        Box::pin(async move {
            query!(&self.inner.db, writes, |connection| async {
                sqlx::query(self.sql().seize()).bind(stored(id)).execute(connection).await.map(drop)
            })
        })
    }

    fn renew<'a>(&'a self, leases: &'a [Lease]) -> CatalogFuture<'a, Vec<String>> {
        Box::pin(async move {
            let ids: Vec<_> = leases.iter().map(|lease| stored(&lease.session_id)).collect();
            let ids = serde_json::to_string(&ids).expect("made of strings");
            let kept: HashMap<String, i64> =
                query!(&self.inner.db, writes, |connection| sqlx::query_as::<_, (String, i64)>(
                    self.sql().renew()
                )
                .bind(ids)
                .bind(&self.inner.host)
                .bind(self.lease_ms())
                .fetch_all(connection))?
                .into_iter()
                .map(|(id, epoch)| (read(id), epoch))
                .collect();
            let lost = leases.iter().filter(|lease| kept.get(&lease.session_id) != Some(&lease.epoch));
            Ok(lost
                .map(|lease| {
                    self.lost(lease);
                    lease.session_id.clone()
                })
                .collect())
        })
    }

    fn renew_every(&self) -> Option<Duration> {
        Some(self.inner.lease / 3)
    }

    fn save<'a>(&'a self, lease: &'a Lease, metadata: &'a SessionMetadata) -> CatalogFuture<'a, ()> {
        Box::pin(async move {
            let saved =
                query!(&self.inner.db, writes, |connection| sqlx::query_scalar::<_, i64>(self.sql().save())
                    .bind(stored(&lease.session_id))
                    .bind(lease.epoch)
                    .bind(metadata.model.as_deref().map(stored))
                    .bind(metadata.permission_mode.as_deref().map(stored))
                    .bind(metadata.title.as_deref().map(stored))
                    .bind(stored(&metadata.status))
                    .bind(metadata.wakes_at_ms)
                    .fetch_all(connection))?;
            if saved.is_empty() {
                self.lost(lease);
                return Err(CatalogError::Fenced);
            }
            Ok(())
        })
    }

    fn record_cost<'a>(&'a self, lease: &'a Lease, cost: DayCost) -> CatalogFuture<'a, ()> {
        Box::pin(async move {
            let recorded = query!(&self.inner.db, writes, |connection| sqlx::query_scalar::<_, i64>(
                self.sql().record_cost()
            )
            .bind(stored(&lease.session_id))
            .bind(lease.epoch)
            .bind(i64::try_from(cost.day).unwrap_or(i64::MAX))
            .bind(cost.usd)
            .fetch_all(connection))?;
            if recorded.is_empty() {
                return Err(CatalogError::Fenced);
            }
            Ok(())
        })
    }

    fn spent<'a>(&'a self, owner: Option<&'a str>, day: u64) -> CatalogFuture<'a, Spent> {
        Box::pin(async move {
            let (owner_usd, all_usd) =
                query!(&self.inner.db, reads, |connection| sqlx::query_as::<_, (f64, f64)>(
                    self.sql().spent()
                )
                .bind(owner.map(stored))
                .bind(i64::try_from(day).unwrap_or(i64::MAX))
                .fetch_one(connection))?;
            Ok(Spent { owner_usd, all_usd })
        })
    }

    fn release<'a>(&'a self, lease: &'a Lease) -> CatalogFuture<'a, ()> {
        Box::pin(async move {
            self.lost(lease);
            query!(&self.inner.db, writes, |connection| async {
                sqlx::query(self.sql().release())
                    .bind(stored(&lease.session_id))
                    .bind(lease.epoch)
                    .execute(connection)
                    .await
                    .map(drop)
            })
        })
    }

    fn tombstone<'a>(&'a self, id: &'a str) -> CatalogFuture<'a, ()> {
        Box::pin(async move {
            self.held().remove(id);
            query!(&self.inner.db, writes, |connection| async {
                sqlx::query(self.sql().tombstone()).bind(stored(id)).execute(connection).await.map(drop)
            })
        })
    }

    fn forget<'a>(&'a self, id: &'a str) -> CatalogFuture<'a, ()> {
        Box::pin(async move {
            query!(&self.inner.db, writes, |connection| async {
                sqlx::query(self.sql().forget()).bind(stored(id)).execute(connection).await.map(drop)
            })
        })
    }

    fn unused_for(&self, time: Duration) -> CatalogFuture<'_, Vec<String>> {
        Box::pin(async move {
            query!(&self.inner.db, reads, |connection| sqlx::query_scalar::<_, String>(self.sql().unused())
                .bind(millis(time))
                .fetch_all(connection))
            .map(|ids| ids.into_iter().map(read).collect())
        })
    }

    fn waking_within(&self, time: Duration) -> CatalogFuture<'_, Vec<SessionRecord>> {
        Box::pin(async move {
            let found =
                query!(&self.inner.db, reads, |connection| sqlx::query_as::<_, Stored>(self.sql().waking())
                    .bind(millis(time))
                    .fetch_all(connection))?;
            let records = found.into_iter().map(|found| self.record(found));
            Ok(records.filter(|record| self.sql().knows_unheld() || !record.elsewhere).collect())
        })
    }

    fn tombstoned(&self) -> CatalogFuture<'_, Vec<String>> {
        Box::pin(async move {
            query!(&self.inner.db, reads, |connection| sqlx::query_scalar::<_, String>(
                self.sql().tombstoned()
            )
            .bind(millis(TOMBSTONE_LIFETIME))
            .fetch_all(connection))
            .map(|ids| ids.into_iter().map(read).collect())
        })
    }

    fn epoch(&self, id: &str) -> Option<i64> {
        self.held().get(id).copied()
    }
}

impl fmt::Debug for DbCatalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DbCatalog").field("host", &self.inner.host).finish_non_exhaustive()
    }
}

/// A row of [`Sql::find`] and [`Sql::list`].
struct Stored {
    record: SessionRecord,
    holder: Option<String>,
}

impl<'r, R: Row> FromRow<'r, R> for Stored
where
    &'static str: sqlx::ColumnIndex<R>,
    String: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    Vec<u8>: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
    i64: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>,
{
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        let last_seq: Option<i64> = row.try_get("last_seq")?;
        let oldest_seq: Option<i64> = row.try_get("oldest_seq")?;
        let note: Option<Vec<u8>> = row.try_get("note")?;
        let stream = last_seq.zip(oldest_seq).map(|(last, oldest)| StreamRecord {
            oldest_seq: oldest.unsigned_abs(),
            last_seq: last.unsigned_abs(),
            note: note.map(Into::into),
        });
        let cwd: String = row.try_get("cwd")?;
        let record = SessionRecord {
            id: read(row.try_get("id")?),
            owner: row.try_get::<Option<String>, _>("owner")?.map(read),
            cwd: PathBuf::from(read(cwd)),
            profile: row.try_get::<Option<String>, _>("profile")?.map(read),
            metadata: SessionMetadata {
                model: row.try_get::<Option<String>, _>("model")?.map(read),
                permission_mode: row.try_get::<Option<String>, _>("permission_mode")?.map(read),
                title: row.try_get::<Option<String>, _>("title")?.map(read),
                status: read(row.try_get("status")?),
                wakes_at_ms: row.try_get("wakes_at_ms")?,
            },
            created_at_ms: row.try_get("created_at_ms")?,
            active_at_ms: row.try_get("active_at_ms")?,
            stream,
            elsewhere: false,
        };
        Ok(Self { record, holder: row.try_get("holder")? })
    }
}
