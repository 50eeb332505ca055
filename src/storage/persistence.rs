//! The persistence seam: what the service needs so that sessions outlive the process.

use super::{
    catalog::AnyCatalog,
    transcripts::{AnyTranscriptStore, StoreError, TranscriptKey},
};
use crate::{error_text::with_sources, layers::resume::EventLog};

/// Where sessions are guarded beside their events.
///
/// With it, a session that is not in memory is restored by the next request for it: its row says whose it
/// is and where it works, its log where its stream stands, and its transcripts what its agent remembers.
#[derive(Clone, Debug)]
pub struct Persistence {
    /// Sessions as rows, and which host runs which.
    pub catalog: AnyCatalog,
    /// The transcript store. Agents get it with their spec.
    pub transcripts: AnyTranscriptStore,
}

impl Persistence {
    /// Deletes the data of a tombstoned session, its row last. The sweep finishes what is interrupted here.
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
