//! The persistence interface: what the service needs so that sessions outlive the process.

use super::{
    catalog::AnyCatalog,
    inbox::{AnyEntries, Inbox},
    outbox::Outbox,
    subscriptions::Subscriptions,
    transcripts::{AnyTranscriptStore, StoreError, TranscriptKey},
};
use crate::{
    error_text::with_sources,
    layers::{resume::EventLog, ticket::BoxTicketStore},
};

/// The session catalog, the transcript store and the ticket store.
///
/// With them, the next request for a session that is not in memory restores it: the catalog holds its owner
/// and working directory, the event log its stream, and the transcript store its conversation.
#[derive(Clone, Debug)]
pub struct Persistence {
    /// The session catalog.
    pub catalog: AnyCatalog,
    /// The transcript store, which agents receive in their spec.
    pub transcripts: AnyTranscriptStore,
    /// The ticket store. Tickets hold as long as it keeps them, and wherever it is shared.
    pub tickets: BoxTicketStore,
    /// The inboxes, through which this host takes messages for sessions that other hosts run. Without them such a message
    /// is answered 503.
    pub inbox: Option<Inbox>,
    /// The outbox, which outlives the process if the event log writes to it. Without one, webhooks wait in memory.
    pub outbox: Option<Outbox>,
    /// The devices that are notified. Without them, they are in memory.
    pub subscriptions: Option<Subscriptions>,
}

impl Persistence {
    /// The entries of all inboxes, if this host takes part in them.
    pub(crate) fn inbox(&self) -> Option<&AnyEntries> {
        self.inbox.as_ref().map(|Inbox(entries)| entries)
    }

    /// Deletes the data of a tombstoned session, its row last. A later sweep finishes what fails here.
    pub(crate) async fn erase<L: EventLog>(&self, log: &L, id: &str) {
        let erased = async {
            self.delete_transcripts(id).await.map_err(|error| with_sources(&error))?;
            log.forget(id).await.map_err(|error| with_sources(&error))?;
            self.catalog.forget(id).await.map_err(|error| with_sources(&error))
        };
        if let Err(error) = erased.await {
            tracing::warn!(session = id, error, "a session's data is not fully deleted; a sweep tries again");
        }
    }

    async fn delete_transcripts(&self, id: &str) -> Result<(), StoreError> {
        for project_key in self.transcripts.find(id).await? {
            self.transcripts.delete(&TranscriptKey::main(project_key, id)).await?;
        }
        Ok(())
    }
}
