//! The guard of a session's lease.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    backoff::Backoff,
    error_text::with_sources,
    service::registry::leases::Leases,
    storage::{
        catalog::{CatalogError, Lease, SessionMetadata},
        inbox::AnyEntries,
        persistence::Persistence,
        wake::{Hint, Subscription},
    },
};

/// Time after which unchanged metadata is saved again, because a save also marks the session as active.
const REFRESH: Duration = Duration::from_secs(30);

/// Pauses between tries to save a row while the catalog does not work. A try holds the session up for as long as
/// the catalog lets it wait.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// The session's lease, renewed until dropped, and the metadata last saved under it.
pub(crate) struct LeaseGuard {
    persistence: Persistence,
    leases: Arc<Leases>,
    lease: Lease,
    fenced: CancellationToken,
    deleted: Arc<AtomicBool>,
    saved: SessionMetadata,
    saved_at: Instant,
    retry: Option<Retry>,
    /// While it lasts, hints of messages for the session come to this host.
    _has_inbox: Option<Subscription>,
}

/// A row that could not be saved.
struct Retry {
    at: Instant,
    backoff: Backoff,
}

/// Another host holds the session's lease.
#[derive(Debug)]
pub(crate) struct Fenced;

impl LeaseGuard {
    /// Starts to renew the lease.
    pub(crate) fn new(
        persistence: Persistence,
        leases: Arc<Leases>,
        lease: Lease,
        saved: SessionMetadata,
        deleted: Arc<AtomicBool>,
    ) -> Self {
        let fenced = leases.guard(lease.clone(), Arc::clone(&deleted));
        let mail = |inbox: &AnyEntries| inbox.wake().subscribe(Hint::Mail(lease.session_id.clone()));
        Self {
            _has_inbox: persistence.inbox().map(mail),
            persistence,
            leases,
            lease,
            fenced,
            deleted,
            saved,
            saved_at: Instant::now(),
            retry: None,
        }
    }

    /// Cancelled when the lease is lost.
    pub(crate) fn fenced(&self) -> &CancellationToken {
        &self.fenced
    }

    pub(crate) fn lease(&self) -> &Lease {
        &self.lease
    }

    pub(crate) fn persistence(&self) -> &Persistence {
        &self.persistence
    }

    /// Saves the metadata if it has changed or `REFRESH` has passed. If the catalog does not work, the next call from
    /// [`LeaseGuard::retries_at`] on tries again.
    pub(crate) async fn save(&mut self, metadata: SessionMetadata) -> Result<(), Fenced> {
        let is_saved = metadata == self.saved && self.saved_at.elapsed() < REFRESH;
        let waits = self.retries_at().is_some_and(|at| at > Instant::now());
        if self.is_deleted() || is_saved || waits {
            return Ok(());
        }
        match self.persistence.catalog.save(&self.lease, &metadata).await {
            Ok(()) => (self.saved, self.saved_at, self.retry) = (metadata, Instant::now(), None),
            // The tombstone of a deleted session fails its saves, too; no other host has taken it over.
            Err(CatalogError::Fenced) if !self.is_deleted() => return Err(Fenced),
            Err(error) => self.retry_later(&error),
        }
        Ok(())
    }

    /// When a row that could not be saved is due to be tried again.
    pub(crate) fn retries_at(&self) -> Option<Instant> {
        self.retry.as_ref().map(|retry| retry.at)
    }

    fn retry_later(&mut self, error: &CatalogError) {
        let first = || {
            let (session, error) = (&self.lease.session_id, with_sources(error));
            tracing::warn!(session, error, "a row cannot be saved; it is tried again");
            Retry { at: Instant::now(), backoff: Backoff::new(SHORTEST_PAUSE, LONGEST_PAUSE) }
        };
        let mut retry = self.retry.take().unwrap_or_else(first);
        retry.at = Instant::now() + retry.backoff.next_pause();
        self.retry = Some(retry);
    }

    /// Releases the lease, so that any host may acquire the session at once. Without this call the lease
    /// expires.
    pub(crate) async fn release(self) {
        if let Err(error) = self.persistence.catalog.release(&self.lease).await {
            tracing::warn!(session = self.lease.session_id, %error, "failed to release the lease");
        }
        if let Some(inbox) = self.persistence.inbox() {
            inbox.wake().send(Hint::Freed(self.lease.session_id.clone()));
        }
    }

    /// Whether a client has deleted the session, so that its row has a tombstone.
    fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::Acquire)
    }
}

impl Drop for LeaseGuard {
    fn drop(&mut self) {
        self.leases.release(&self.lease);
    }
}
