//! Finds, adopts and restores sessions that are stored but not in memory, once for all concurrent requests.

use std::{sync::Arc, time::SystemTime};

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::sessions::{Owned, Sessions};
use crate::{
    error_text::with_sources,
    layers::resume::EventLog,
    service::{
        error::SessionError,
        policy::Policy,
        session::{
            live::{Ending, Live},
            place::{Place, Remote},
        },
    },
    storage::{
        catalog::{Acquired, CatalogError, SessionRecord},
        persistence::Persistence,
        transcripts::TranscriptKey,
        wake::Hint,
    },
};

/// The result of an attempt to run a stored session here.
enum Taken<L: EventLog> {
    Restored(Live<L>),
    /// Another host runs it.
    Held,
    Unknown,
}

impl<L: EventLog> Sessions<L> {
    /// Returns the caller's session with this id. Unless another host runs it, it is restored if it is not in memory.
    pub(crate) async fn find_place(
        &self,
        id: &str,
        caller: Option<&str>,
    ) -> Result<Option<Place<L>>, SessionError> {
        if let Some(session) = self.in_memory(id) {
            return Ok(Some(session).filter(|session| session.is_visible_to(caller)).map(Place::Here));
        }
        let Some(persistence) = self.persistence() else { return Ok(None) };
        // Session ids are uuids in canonical form; other ids are not looked up.
        if Uuid::try_parse(id).is_ok_and(|uuid| uuid.to_string() == id) {
            let (id, caller) = (id.to_owned(), caller.map(str::to_owned));
            let (sessions, persistence) = (self.clone(), persistence.clone());
            // Spawned, so that a restore completes even if the client disconnects.
            let restored =
                tokio::spawn(async move { sessions.restore(&persistence, &id, caller.as_deref()).await });
            return restored
                .await
                .unwrap_or_else(|_| Err(SessionError::unavailable("the session could not be restored")));
        }
        Ok(None)
    }

    async fn restore(
        &self,
        persistence: &Persistence,
        id: &str,
        caller: Option<&str>,
    ) -> Result<Option<Place<L>>, SessionError> {
        // Held to the end, so that the session is restored once and not while it is deleted.
        let _alone = self.restoring().lock(id).await;
        if let Some(session) = self.in_memory(id) {
            return Ok(Some(session).filter(|session| session.is_visible_to(caller)).map(Place::Here));
        }
        let mut found = persistence.catalog.find(id).await?;
        if found.is_none() && self.adopt(persistence, id, caller).await? {
            found = persistence.catalog.find(id).await?;
        }
        let Some(record) = found.filter(|record| record.owner.as_deref() == caller) else { return Ok(None) };
        // Looked at before a slot is taken: a full server still serves the sessions of others.
        if record.elsewhere && !persistence.catalog.free_if_dead(id).await? {
            return self.elsewhere(record).await.map(Some);
        }
        match self.acquire(persistence, id).await? {
            Taken::Restored(live) => Ok(Some(Place::Here(live))),
            Taken::Held => self.elsewhere(record).await.map(Some),
            Taken::Unknown => Ok(None),
        }
    }

    /// A session that another host runs.
    async fn elsewhere(&self, record: SessionRecord) -> Result<Place<L>, SessionError> {
        let stream = self.log().follow(&record.id).await.map_err(|error| {
            tracing::error!(session = record.id, error = with_sources(&error), "a stream cannot be followed");
            SessionError::unavailable("the event log cannot be read now")
        })?;
        // A session whose creation is not complete has no stream yet.
        let starting = || SessionError::unavailable("the session is starting on another host; try again");
        let stream = stream.ok_or_else(starting)?;
        let ending = Ending { session: CancellationToken::new(), server: self.ending().clone() };
        Ok(Place::Elsewhere(Arc::new(Remote { record, stream, ending })))
    }

    /// Restores a stored session, unless another host runs it. The reason is for the log.
    pub(super) async fn restore_unasked(
        &self,
        persistence: &Persistence,
        id: &str,
        reason: &'static str,
    ) -> Result<(), SessionError> {
        let _alone = self.restoring().lock(id).await;
        if self.in_memory(id).is_none()
            && let Taken::Restored(_) = self.acquire(persistence, id).await?
        {
            tracing::info!(session = id, "restored a session for {reason}");
        }
        Ok(())
    }

    /// The session in memory here, if it can be restored.
    pub(super) async fn restored(&self, persistence: &Persistence, id: &str) -> Option<Live<L>> {
        match self.acquire(persistence, id).await {
            Ok(Taken::Restored(live)) => Some(live),
            _ => None,
        }
    }

    async fn acquire(&self, persistence: &Persistence, id: &str) -> Result<Taken<L>, SessionError> {
        // The slot comes before the lease, so that a full server does not hold a lease that it cannot use.
        let slot = self.reserve().await?;
        match persistence.catalog.acquire(id).await? {
            Acquired::Unknown => Ok(Taken::Unknown),
            Acquired::Held(_) => Ok(Taken::Held),
            Acquired::Leased(record, lease) => {
                let released = lease.clone();
                let restored =
                    self.starter().restore(self.clone(), Owned { record: *record, lease }, slot).await;
                if restored.is_err()
                    && let Err(error) = persistence.catalog.release(&released).await
                {
                    tracing::warn!(session = id, error = with_sources(&error), "failed to release the lease");
                }
                match restored {
                    // Another host deleted it meanwhile.
                    Err(SessionError::NotFound) => Ok(Taken::Unknown),
                    Err(error) => Err(error),
                    Ok(live) => {
                        if let Some(inbox) = persistence.inbox() {
                            // Its earlier host may have left messages in the inbox.
                            inbox.wake().send(Hint::Mail(id.to_owned()));
                        }
                        Ok(Taken::Restored(live))
                    }
                }
            }
        }
    }

    /// Creates a row for a session that has only a transcript, as the Python server leaves it, if the policy gives
    /// such transcripts to the caller.
    async fn adopt(
        &self,
        persistence: &Persistence,
        id: &str,
        caller: Option<&str>,
    ) -> Result<bool, SessionError> {
        if !self.policy().adopts_for(caller) {
            return Ok(false);
        }
        let projects = persistence.transcripts.find(id).await?;
        let [project_key] = &projects[..] else { return Ok(false) };
        let key = TranscriptKey::main(project_key, id);
        let entries = persistence.transcripts.load(&key).await?.unwrap_or_default();
        let cwd = entries.iter().rev().find_map(|entry| {
            #[derive(serde::Deserialize)]
            struct Cwd {
                cwd: String,
            }
            serde_json::from_str::<Cwd>(entry.json().get()).ok().map(|Cwd { cwd }| cwd)
        });
        let Some(cwd) = permitted(self.policy(), cwd).await else {
            tracing::warn!(session = id, "transcript not adopted: its directory is outside the workspaces");
            return Ok(false);
        };
        let record = SessionRecord::new(id, caller, cwd, SystemTime::now());
        match persistence.catalog.create(&record).await {
            Ok(_) => {
                tracing::info!(session = id, "adopted a transcript as a session");
                Ok(true)
            }
            // Another host created the row first, or the session is tombstoned and its transcript not deleted
            // yet.
            Err(CatalogError::Exists) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }
}

/// Returns the directory if the policy allows it, or the first workspace if the transcript names none.
async fn permitted(policy: &Policy, cwd: Option<String>) -> Option<std::path::PathBuf> {
    let policy = policy.clone();
    tokio::task::spawn_blocking(move || policy.directory(cwd.as_deref()).ok()).await.ok().flatten()
}
