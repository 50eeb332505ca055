//! The guard of a session's lease.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    service::registry::leases::Leases,
    storage::{
        catalog::{CatalogError, Lease, SessionMetadata},
        persistence::Persistence,
    },
};

/// Time after which unchanged metadata is saved again, because a save also marks the session as active.
const REFRESH: Duration = Duration::from_secs(30);

/// The session's lease, renewed until dropped, and the metadata last saved under it.
pub(crate) struct LeaseGuard {
    persistence: Persistence,
    leases: Arc<Leases>,
    lease: Lease,
    fenced: CancellationToken,
    deleted: Arc<AtomicBool>,
    saved: SessionMetadata,
    saved_at: Instant,
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
        Self { persistence, leases, lease, fenced, deleted, saved, saved_at: Instant::now() }
    }

    /// Cancelled when the lease is lost.
    pub(crate) fn fenced(&self) -> &CancellationToken {
        &self.fenced
    }

    pub(crate) fn persistence(&self) -> &Persistence {
        &self.persistence
    }

    /// Saves the metadata if it has changed or `REFRESH` has passed. A failure other than a lost lease is
    /// logged; the next call tries again.
    pub(crate) async fn save(&mut self, metadata: SessionMetadata) -> Result<(), Fenced> {
        if self.is_deleted() || (metadata == self.saved && self.saved_at.elapsed() < REFRESH) {
            return Ok(());
        }
        match self.persistence.catalog.save(&self.lease, &metadata).await {
            Ok(()) => (self.saved, self.saved_at) = (metadata, Instant::now()),
            // The tombstone of a deleted session fails its saves, too; no other host has taken it over.
            Err(CatalogError::Fenced) if !self.is_deleted() => return Err(Fenced),
            Err(error) => tracing::warn!(session = self.lease.session_id, %error, "failed to save metadata"),
        }
        Ok(())
    }

    /// Releases the lease, so that any host may acquire the session at once. Without this call the lease
    /// expires.
    pub(crate) async fn release(self) {
        if let Err(error) = self.persistence.catalog.release(&self.lease).await {
            tracing::warn!(session = self.lease.session_id, %error, "failed to release the lease");
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
