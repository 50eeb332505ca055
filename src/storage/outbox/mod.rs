//! The outbox: records about events for other programs, which wait until they were passed on.
//!
//! A durable event log stores a record in the transaction of its events. A host that *claims* a record has it for a
//! while; if the host dies, the record is due again, here or on another host. So each record is passed on at least once,
//! and by one host at a time.

#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod database;
mod memory;

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;

#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(in crate::storage) use self::database::DbRecords;
pub(crate) use self::memory::MemoryRecords;
use super::catalog::CatalogFuture;

/// The outbox of a database. [`Storage`](super::Storage) has it.
#[derive(Clone)]
pub struct Outbox(pub(in crate::storage) AnyRecords);

impl Outbox {
    pub(crate) fn records(&self) -> &AnyRecords {
        &self.0
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").finish_non_exhaustive()
    }
}

/// The records of an outbox chosen at run time.
pub(crate) type AnyRecords = Arc<dyn Records>;

/// A record that this host has claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claimed {
    serial: i64,
    /// The number of claims so far, this one too. A later claim makes this one void.
    pub(crate) attempts: i64,
    pub(crate) record: Bytes,
}

/// The records as they wait.
pub(crate) trait Records: Send + Sync + 'static {
    /// Adds records that no event log has stored.
    fn add(&self, records: Vec<Bytes>);

    /// Whether there may be a record to claim.
    fn is_due(&self) -> CatalogFuture<'_, bool>;

    /// Claims up to `limit` records that are due, those first that are due longest. Each is due again after `time`.
    fn claim(&self, limit: usize, time: Duration) -> CatalogFuture<'_, Vec<Claimed>>;

    /// Deletes a claimed record, unless it was claimed again since.
    fn done<'a>(&'a self, claimed: &'a Claimed) -> CatalogFuture<'a, ()>;

    /// Makes a claimed record due again after `pause`, unless it was claimed again since. `counts`: as an attempt.
    fn postpone<'a>(&'a self, claimed: &'a Claimed, pause: Duration, counts: bool) -> CatalogFuture<'a, ()>;

    /// Puts records that are due at once in the place of a claimed one. If the host dies in between, all of them may
    /// come twice.
    fn divide<'a>(&'a self, claimed: &'a Claimed, records: Vec<Bytes>) -> CatalogFuture<'a, ()>;

    /// The number of records that wait.
    fn len(&self) -> CatalogFuture<'_, usize>;
}
