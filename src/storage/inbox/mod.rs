//! Inboxes: messages for sessions that another host runs.
//!
//! The host that was asked stores an entry and waits for its outcome. The host that runs the session takes the entry
//! under the epoch of its lease, and writes the outcome. If it dies before that, the next one takes the entry again:
//! whoever handles an entry must find out whether it was handled before.

#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod database;

use std::{fmt, sync::Arc, time::Duration};

#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(in crate::storage) use self::database::DbEntries;
use super::{
    catalog::{CatalogFuture, Lease},
    wake::Wake,
};

/// The inboxes of all sessions of a database. With them every host takes messages for every session.
///
/// [`Storage`](super::Storage) has them.
#[derive(Clone)]
pub struct Inbox(pub(in crate::storage) AnyEntries);

/// The entries of a database chosen at run time.
pub(crate) type AnyEntries = Arc<dyn Entries>;

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").finish_non_exhaustive()
    }
}

/// A message that waits for the host of its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InboxEntry {
    /// The id of the entry, which no other entry ever has.
    pub(crate) id: String,
    /// The session that the message is for.
    pub(crate) session_id: String,
    /// The message.
    pub(crate) message: Vec<u8>,
}

/// The entries as they are stored.
pub(crate) trait Entries: Send + Sync + 'static {
    /// Stores an entry that may be taken for this time, and tells the session's host.
    fn post<'a>(&'a self, entry: &'a InboxEntry, time: Duration) -> CatalogFuture<'a, ()>;

    /// Whether there may be entries to take for one of these sessions.
    fn is_waiting<'a>(&'a self, leases: &'a [Lease]) -> CatalogFuture<'a, bool>;

    /// Takes the entries of these sessions, oldest first, as far as this host holds the leases: each with the epoch
    /// under which it was taken. Until it has an outcome, an entry is returned again: the answer to an earlier call may
    /// have been lost.
    fn take<'a>(&'a self, leases: &'a [Lease]) -> CatalogFuture<'a, Vec<(InboxEntry, i64)>>;

    /// Gives an entry back that was taken under this epoch, so that it is taken again.
    fn give_back<'a>(&'a self, entry_id: &'a str, epoch: i64) -> CatalogFuture<'a, ()>;

    /// Writes the outcome of an entry. With a lease only if it is still held: a host that has lost the session says
    /// nothing about it.
    fn settle<'a>(
        &'a self,
        entry: &'a InboxEntry,
        lease: Option<&'a Lease>,
        outcome: &'a [u8],
    ) -> CatalogFuture<'a, ()>;

    /// The outcome of an entry, if it has one.
    fn outcome<'a>(&'a self, entry_id: &'a str) -> CatalogFuture<'a, Option<Vec<u8>>>;

    /// Deletes an entry unless it was taken. Returns whether it is gone.
    fn withdraw<'a>(&'a self, entry_id: &'a str) -> CatalogFuture<'a, bool>;

    /// Deletes an entry whose outcome was read.
    fn forget<'a>(&'a self, entry_id: &'a str) -> CatalogFuture<'a, ()>;

    /// Deletes what expired a while ago.
    fn sweep(&self) -> CatalogFuture<'_, ()>;

    /// The hints of this host.
    fn wake(&self) -> &Wake;
}
