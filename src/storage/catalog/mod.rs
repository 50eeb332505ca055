//! The seam to sessions as rows: who owns one, where it works, and which host may run it.
//!
//! A session belongs to one host at a time, by a [`Lease`]. Its epoch rises with every holder, and whatever
//! a host writes for a session names the epoch it holds, so that one which was presumed dead and comes back
//! writes nothing any more.

#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod database;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod statements;

use std::{
    fmt,
    future::Future,
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;

#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use self::database::{DEFAULT_LEASE, DbCatalog};

/// A session as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// Its id.
    pub id: String,
    /// The name of the principal who made it, if the server knows its callers.
    pub owner: Option<String>,
    /// Where its agent works.
    pub cwd: PathBuf,
    /// What may change.
    pub metadata: SessionMetadata,
    /// When it was made, in milliseconds since the epoch.
    pub created_at_ms: i64,
    /// When it was last saved, in milliseconds since the epoch.
    pub active_at_ms: i64,
    /// How its stream stands, if the catalog knows.
    pub stream: Option<StreamRecord>,
    /// Another host runs it now.
    pub elsewhere: bool,
}

impl SessionRecord {
    /// A session at rest that was made at this time, with the agent's defaults.
    #[must_use]
    pub fn new(
        id: impl Into<String>,
        owner: Option<&str>,
        cwd: impl Into<PathBuf>,
        created_at: SystemTime,
    ) -> Self {
        let created_at_ms = created_at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let created_at_ms = i64::try_from(created_at_ms).unwrap_or(i64::MAX);
        Self {
            id: id.into(),
            owner: owner.map(str::to_owned),
            cwd: cwd.into(),
            metadata: SessionMetadata { status: "idle".to_owned(), ..SessionMetadata::default() },
            created_at_ms,
            active_at_ms: created_at_ms,
            stream: None,
            elsewhere: false,
        }
    }
}

/// What may change of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionMetadata {
    /// The model, or the agent's default.
    pub model: Option<String>,
    /// The permission mode, or the agent's default.
    pub permission_mode: Option<String>,
    /// The beginning of its first message.
    pub title: Option<String>,
    /// What it does, as `session_state` tells.
    pub status: String,
}

/// How a session's stream stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamRecord {
    /// The oldest event held.
    pub oldest_seq: u64,
    /// The newest event.
    pub last_seq: u64,
    /// The stream's note.
    pub note: Option<Bytes>,
}

/// The right to run a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The session's id.
    pub session_id: String,
    /// Rises with every holder.
    pub epoch: i64,
}

/// What became of the wish to run a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acquired {
    /// It is this host's.
    Leased(Box<SessionRecord>, Lease),
    /// Another host runs it, for so long at least.
    Held(Duration),
    /// There is no such session.
    Unknown,
}

/// Why a catalog did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// The catalog cannot be used now.
    #[error("the session catalog is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// There is a row of this id already, be it a buried session's.
    #[error("there is a session of this id already")]
    Exists,
    /// The lease is lost.
    #[error("the session is served by another host")]
    Fenced,
}

/// What a catalog's methods give.
pub type CatalogFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, CatalogError>> + Send + 'a>>;

/// Sessions as rows.
pub trait Catalog: fmt::Debug + Send + Sync + 'static {
    /// Stores a new session, which is this host's from the start. Fails with [`CatalogError::Exists`] where
    /// there is one of its id, buried ones included.
    fn create<'a>(&'a self, record: &'a SessionRecord) -> CatalogFuture<'a, Lease>;

    /// The session of this id, whoever runs it. Buried ones are not there.
    fn find<'a>(&'a self, id: &'a str) -> CatalogFuture<'a, Option<SessionRecord>>;

    /// The sessions of an owner, oldest first.
    fn list<'a>(&'a self, owner: Option<&'a str>) -> CatalogFuture<'a, Vec<SessionRecord>>;

    /// Takes a session that nobody runs, or whose host has let its lease run out. Of several hosts that try
    /// at once, one succeeds.
    fn acquire<'a>(&'a self, id: &'a str) -> CatalogFuture<'a, Acquired>;

    /// Keeps leases alive; gives the ids of those that are lost.
    fn renew<'a>(&'a self, leases: &'a [Lease]) -> CatalogFuture<'a, Vec<String>>;

    /// How often [`Catalog::renew`] wants to be called; `None`: leases do not run out.
    fn renew_every(&self) -> Option<Duration>;

    /// Stores what has changed, and that the session is active.
    fn save<'a>(&'a self, lease: &'a Lease, metadata: &'a SessionMetadata) -> CatalogFuture<'a, ()>;

    /// Gives a lease back, so that any host may take the session at once.
    fn release<'a>(&'a self, lease: &'a Lease) -> CatalogFuture<'a, ()>;

    /// From here on the session does not exist, for its own host neither; what it has stored can be deleted.
    fn tombstone<'a>(&'a self, id: &'a str) -> CatalogFuture<'a, ()>;

    /// Drops a buried session's row, once nothing of it is left.
    fn forget<'a>(&'a self, id: &'a str) -> CatalogFuture<'a, ()>;

    /// Sessions that nobody runs and that were not active for so long.
    fn unused_for(&self, time: Duration) -> CatalogFuture<'_, Vec<String>>;

    /// Sessions that were buried a while ago and whose rows are still there.
    fn tombstoned(&self) -> CatalogFuture<'_, Vec<String>>;

    /// The epoch in which this host holds the session, as far as it knows.
    fn epoch(&self, id: &str) -> Option<i64>;
}

/// A catalog that was chosen at run time.
pub type AnyCatalog = Arc<dyn Catalog>;
