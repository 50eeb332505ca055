//! The leases of the sessions that run on this host, renewed together.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio_util::sync::CancellationToken;

use crate::{
    storage::catalog::{AnyCatalog, CatalogError, Lease},
    sync::lock,
};

/// The leases that this host renews.
#[derive(Debug, Default)]
pub(crate) struct Leases(Mutex<HashMap<String, GuardedLease>>);

#[derive(Debug)]
struct GuardedLease {
    lease: Lease,
    fenced: CancellationToken,
    deleted: Arc<AtomicBool>,
}

impl Leases {
    /// Renews this lease from now on. The token is cancelled when the lease is lost, unless the session was
    /// deleted here: that session ends by itself.
    pub(crate) fn guard(&self, lease: Lease, deleted: Arc<AtomicBool>) -> CancellationToken {
        let fenced = CancellationToken::new();
        let guarded = GuardedLease { lease: lease.clone(), fenced: fenced.clone(), deleted };
        self.table().insert(lease.session_id, guarded);
        fenced
    }

    /// Stops renewing this lease.
    pub(crate) fn release(&self, lease: &Lease) {
        let mut table = self.table();
        // The entry may belong to a later lease on the same session.
        if table.get(&lease.session_id).is_some_and(|guarded| guarded.lease == *lease) {
            table.remove(&lease.session_id);
        }
    }

    /// The leases that are renewed, of these sessions only if any are named.
    pub(crate) fn held(&self, only: Option<&HashSet<String>>) -> Vec<Lease> {
        let table = self.table();
        let held = table.values().map(|guarded| &guarded.lease);
        held.filter(|lease| only.is_none_or(|only| only.contains(&lease.session_id))).cloned().collect()
    }

    /// Whether this lease is renewed.
    pub(crate) fn is_held(&self, lease: &Lease) -> bool {
        self.table().get(&lease.session_id).is_some_and(|guarded| guarded.lease == *lease)
    }

    /// Renews all leases and cancels the tokens of those that are lost.
    pub(crate) async fn renew(&self, catalog: &AnyCatalog) -> Result<(), CatalogError> {
        // Copied, so that the table is not locked during the database call.
        let leases: Vec<Lease> = self.table().values().map(|guarded| guarded.lease.clone()).collect();
        if leases.is_empty() {
            return Ok(());
        }
        let lost = catalog.renew(&leases).await?;
        let mut table = self.table();
        for lease in leases.iter().filter(|lease| lost.contains(&lease.session_id)) {
            // The session may have been released and acquired again meanwhile.
            if table.get(&lease.session_id).is_some_and(|guarded| guarded.lease == *lease)
                && let Some(guarded) = table.remove(&lease.session_id)
                && !guarded.deleted.load(Ordering::Acquire)
            {
                guarded.fenced.cancel();
            }
        }
        Ok(())
    }

    fn table(&self) -> MutexGuard<'_, HashMap<String, GuardedLease>> {
        lock(&self.0)
    }
}
