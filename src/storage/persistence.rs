//! What lets sessions outlive their process.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio_util::sync::CancellationToken;

use super::{
    catalog::{AnyCatalog, CatalogError, Lease},
    transcripts::{AnyTranscriptStore, StoreError, TranscriptKey},
};
use crate::{error_text::with_sources, layers::resume::EventLog};

/// Where sessions are kept beside their events.
///
/// With it, a session that is not in memory is restored by the next request for it: its row says whose it
/// is and where it works, its log where its stream stands, and its transcripts what its agent remembers.
#[derive(Clone, Debug)]
pub struct Persistence {
    /// Sessions as rows, and which host runs which.
    pub catalog: AnyCatalog,
    /// What agents remember. The agents themselves are given the same store.
    pub transcripts: AnyTranscriptStore,
}

impl Persistence {
    /// Deletes what is stored of a buried session, its row last. What is cut short is left for the sweep.
    pub(crate) async fn erase<L: EventLog>(&self, log: &L, id: &str) {
        let erased = async {
            self.delete_transcripts(id).await.map_err(|error| with_sources(&error))?;
            log.forget(id).await.map_err(|error| with_sources(&error))?;
            self.catalog.forget(id).await.map_err(|error| with_sources(&error))
        };
        if let Err(error) = erased.await {
            tracing::warn!(session = id, error, "what is left of a session stays for the next sweep");
        }
    }

    async fn delete_transcripts(&self, id: &str) -> Result<(), StoreError> {
        for project_key in self.transcripts.find(id).await? {
            self.transcripts.delete(&TranscriptKey::main(project_key, id)).await?;
        }
        Ok(())
    }
}

/// The leases that this host keeps alive.
#[derive(Debug, Default)]
pub(crate) struct Leases(Mutex<HashMap<String, Kept>>);

#[derive(Debug)]
struct Kept {
    lease: Lease,
    fenced: CancellationToken,
    deleted: Arc<AtomicBool>,
}

impl Leases {
    /// Keeps a lease alive from here on. The token is cancelled when it is lost, but for that of a session
    /// that was deleted here, which ends by itself.
    pub(crate) fn keep(&self, lease: Lease, deleted: Arc<AtomicBool>) -> CancellationToken {
        let fenced = CancellationToken::new();
        let kept = Kept { lease: lease.clone(), fenced: fenced.clone(), deleted };
        self.table().insert(lease.session_id, kept);
        fenced
    }

    /// Keeps it no longer.
    pub(crate) fn let_go(&self, lease: &Lease) {
        let mut table = self.table();
        if table.get(&lease.session_id).is_some_and(|kept| kept.lease == *lease) {
            table.remove(&lease.session_id);
        }
    }

    /// Renews all of them, and tells the sessions whose lease is lost.
    pub(crate) async fn renew(&self, catalog: &AnyCatalog) -> Result<(), CatalogError> {
        let leases: Vec<Lease> = self.table().values().map(|kept| kept.lease.clone()).collect();
        if leases.is_empty() {
            return Ok(());
        }
        let lost = catalog.renew(&leases).await?;
        let mut table = self.table();
        for lease in leases.iter().filter(|lease| lost.contains(&lease.session_id)) {
            if table.get(&lease.session_id).is_some_and(|kept| kept.lease == *lease)
                && let Some(kept) = table.remove(&lease.session_id)
                && !kept.deleted.load(Ordering::Acquire)
            {
                tracing::warn!(session = lease.session_id, "another host has taken the session over");
                kept.fenced.cancel();
            }
        }
        Ok(())
    }

    fn table(&self) -> MutexGuard<'_, HashMap<String, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
