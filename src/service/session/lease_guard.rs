//! A session's hold on its row.

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

/// A row says so often at least that its session is active.
const REFRESH: Duration = Duration::from_secs(30);

/// The lease of a session that runs here, and what its row says.
pub(crate) struct LeaseGuard {
    persistence: Persistence,
    leases: Arc<Leases>,
    lease: Lease,
    fenced: CancellationToken,
    deleted: Arc<AtomicBool>,
    saved: SessionMetadata,
    saved_at: Instant,
}

/// The session belongs to another host by now.
#[derive(Debug)]
pub(crate) struct Fenced;

impl LeaseGuard {
    /// Keeps the lease alive until this is dropped.
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

    /// Stores what has changed. A catalog that is away is asked again at the next change.
    pub(crate) async fn save(&mut self, metadata: SessionMetadata) -> Result<(), Fenced> {
        if self.is_deleted() || (metadata == self.saved && self.saved_at.elapsed() < REFRESH) {
            return Ok(());
        }
        match self.persistence.catalog.save(&self.lease, &metadata).await {
            Ok(()) => (self.saved, self.saved_at) = (metadata, Instant::now()),
            Err(CatalogError::Fenced) if !self.is_deleted() => return Err(Fenced),
            Err(error) => tracing::warn!(session = self.lease.session_id, %error, "a row was not saved"),
        }
        Ok(())
    }

    /// Gives the lease back.
    pub(crate) async fn release(self) {
        if let Err(error) = self.persistence.catalog.release(&self.lease).await {
            tracing::warn!(session = self.lease.session_id, %error, "a lease was not given back");
        }
    }

    /// The client has deleted the session, so its row is nobody's.
    fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::Acquire)
    }
}

impl Drop for LeaseGuard {
    fn drop(&mut self) {
        self.leases.release(&self.lease);
    }
}
