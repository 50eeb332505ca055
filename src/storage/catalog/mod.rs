//! The session catalog: who owns a session, where it works, and which host may run it.
//!
//! One host at a time holds the [`Lease`] of a session. The epoch of the lease rises with every holder, and
//! every write for a session carries its writer's epoch. A host that was presumed dead and comes back cannot
//! write any more, because its epoch is out of date.

#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod database;
mod page;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod query;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod statements;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod text;

use std::{
    fmt,
    future::Future,
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;

use crate::{proto::DayCost, unix_ms};

#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use self::database::{DEFAULT_LEASE, DbCatalog};
pub use self::page::{InvalidPageEnd, Page, PageEnd};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(in crate::storage) use self::query::query;

/// A session as stored in the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// The session's id.
    pub id: String,
    /// The name of the principal that created it, if the server authenticates its callers.
    pub owner: Option<String>,
    /// The agent's working directory.
    pub cwd: PathBuf,
    /// The set of the agent's options, by the host's name for it.
    pub profile: Option<String>,
    /// The metadata, which may change.
    pub metadata: SessionMetadata,
    /// When it was created, in milliseconds since the Unix epoch.
    pub created_at_ms: i64,
    /// When it was last saved, in milliseconds since the Unix epoch.
    pub active_at_ms: i64,
    /// The state of its event stream, if the catalog knows it.
    pub stream: Option<StreamRecord>,
    /// Whether another host runs it now.
    pub elsewhere: bool,
}

impl SessionRecord {
    /// An idle session that was created at this time, with the agent's defaults.
    #[must_use]
    pub fn new(
        id: impl Into<String>,
        owner: Option<&str>,
        cwd: impl Into<PathBuf>,
        created_at: SystemTime,
    ) -> Self {
        let created_at_ms = unix_ms::signed(created_at);
        Self {
            id: id.into(),
            owner: owner.map(str::to_owned),
            cwd: cwd.into(),
            profile: None,
            metadata: SessionMetadata { status: "idle".to_owned(), ..SessionMetadata::default() },
            created_at_ms,
            active_at_ms: created_at_ms,
            stream: None,
            elsewhere: false,
        }
    }
}

/// The session metadata, which may change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionMetadata {
    /// The model; `None` for the agent's default.
    pub model: Option<String>,
    /// The permission mode; `None` for the agent's default.
    pub permission_mode: Option<String>,
    /// The beginning of its first message.
    pub title: Option<String>,
    /// The status, as `session_state` reports it.
    pub status: String,
    /// When it has to be in memory because its agent has scheduled something, in milliseconds since the Unix epoch.
    pub wakes_at_ms: Option<i64>,
}

/// The state of a session's event stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamRecord {
    /// The sequence number of the oldest event held.
    pub oldest_seq: u64,
    /// The sequence number of the newest event.
    pub last_seq: u64,
    /// The stream's note.
    pub note: Option<Bytes>,
}

/// What was spent on one day, in US dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Spent {
    /// By one owner.
    pub owner_usd: f64,
    /// By all owners.
    pub all_usd: f64,
}

impl Spent {
    /// These amounts.
    #[must_use]
    pub const fn new(owner_usd: f64, all_usd: f64) -> Self {
        Self { owner_usd, all_usd }
    }
}

/// The exclusive right to run a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The session's id.
    pub session_id: String,
    /// Rises with every holder.
    pub epoch: i64,
}

/// The result of [`Catalog::acquire`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acquired {
    /// This host holds the lease now.
    Leased(Box<SessionRecord>, Lease),
    /// Another host holds the lease, for at least this time.
    Held(Duration),
    /// There is no such session.
    Unknown,
}

/// The error of an operation on the session catalog.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// The catalog cannot be used now.
    #[error("the session catalog is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A session with this id exists already; it may be tombstoned.
    #[error("a session with this id exists already")]
    Exists,
    /// This host no longer holds the lease.
    #[error("the session is served by another host")]
    Fenced,
}

#[cfg(any(feature = "sqlite", feature = "postgres"))]
impl CatalogError {
    pub(in crate::storage) fn of(error: sqlx::Error) -> Self {
        Self::Unavailable(error.into())
    }
}

/// The future of a catalog's methods, boxed so that [`Catalog`] is dyn-compatible.
pub type CatalogFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, CatalogError>> + Send + 'a>>;

/// Stores sessions and their leases.
pub trait Catalog: fmt::Debug + Send + Sync + 'static {
    /// Stores a new session and acquires its lease. Fails with [`CatalogError::Exists`] if there is a session
    /// with this id, even a tombstoned one.
    fn create<'a>(&'a self, record: &'a SessionRecord) -> CatalogFuture<'a, Lease>;

    /// Returns the session with this id, whichever host runs it. Tombstoned sessions are not found.
    fn find<'a>(&'a self, id: &'a str) -> CatalogFuture<'a, Option<SessionRecord>>;

    /// Returns an owner's sessions, oldest first.
    fn list<'a>(&'a self, owner: Option<&'a str>) -> CatalogFuture<'a, Vec<SessionRecord>>;

    /// Returns a page of an owner's sessions, newest first.
    fn list_page<'a>(
        &'a self,
        owner: Option<&'a str>,
        page: &'a Page,
    ) -> CatalogFuture<'a, Vec<SessionRecord>>;

    /// Acquires the lease of a session that no host runs, or whose holder's lease has expired. Of several
    /// hosts that try at once, one succeeds.
    fn acquire<'a>(&'a self, id: &'a str) -> CatalogFuture<'a, Acquired>;

    /// Releases a session whose holder is known to have died before its lease expired. Returns whether it did. The
    /// default does nothing: the lease then has to expire.
    fn free_if_dead<'a>(&'a self, id: &'a str) -> CatalogFuture<'a, bool> {
        let _ = id;
        Box::pin(std::future::ready(Ok(false)))
    }

    /// Releases a session whose holder does not answer, and which is to be deleted. The holder is fenced once another host
    /// acquires the session. The default does nothing: the lease then has to expire.
    fn seize<'a>(&'a self, id: &'a str) -> CatalogFuture<'a, ()> {
        let _ = id;
        Box::pin(std::future::ready(Ok(())))
    }

    /// Renews leases and returns the ids of the sessions whose leases are lost.
    fn renew<'a>(&'a self, leases: &'a [Lease]) -> CatalogFuture<'a, Vec<String>>;

    /// How often to call [`Catalog::renew`]; `None` if leases do not expire.
    fn renew_every(&self) -> Option<Duration>;

    /// Stores the metadata and marks the session as active now.
    fn save<'a>(&'a self, lease: &'a Lease, metadata: &'a SessionMetadata) -> CatalogFuture<'a, ()>;

    /// Records what the session has cost on one day, in place of what was recorded before. The amount stays when the
    /// session is deleted.
    fn record_cost<'a>(&'a self, lease: &'a Lease, cost: DayCost) -> CatalogFuture<'a, ()>;

    /// Returns what was spent on this day, in days since the Unix epoch, by this owner and by all.
    fn spent<'a>(&'a self, owner: Option<&'a str>, day: u64) -> CatalogFuture<'a, Spent>;

    /// Releases a lease, so that any host may acquire the session at once.
    fn release<'a>(&'a self, lease: &'a Lease) -> CatalogFuture<'a, ()>;

    /// Sets the session's tombstone. After that no host finds or saves the session, not even its own, and its
    /// data can be deleted.
    fn tombstone<'a>(&'a self, id: &'a str) -> CatalogFuture<'a, ()>;

    /// Deletes a tombstoned session's row. Call it after the session's other data is deleted.
    fn forget<'a>(&'a self, id: &'a str) -> CatalogFuture<'a, ()>;

    /// Returns sessions that no host runs and that were last active at least `time` ago.
    fn unused_for(&self, time: Duration) -> CatalogFuture<'_, Vec<String>>;

    /// Returns sessions that no other host runs and that have to be in memory within this time, those first that
    /// wait longest.
    fn waking_within(&self, time: Duration) -> CatalogFuture<'_, Vec<SessionRecord>>;

    /// Returns sessions that were tombstoned a while ago and still have a row.
    fn tombstoned(&self) -> CatalogFuture<'_, Vec<String>>;

    /// Returns the epoch of this host's lease on the session, as far as the host knows.
    fn epoch(&self, id: &str) -> Option<i64>;
}

/// A session catalog chosen at run time.
pub type AnyCatalog = Arc<dyn Catalog>;
