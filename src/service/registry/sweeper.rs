//! Background tasks for stored sessions: they renew leases, restore the sessions that wake up, and delete unused and
//! tombstoned ones.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::sessions::Sessions;
use crate::{
    error_text::with_sources,
    layers::resume::EventLog,
    service::error::SessionError,
    storage::{
        catalog::{Acquired, CatalogError},
        persistence::Persistence,
    },
};

/// Interval between sweeps.
const SWEEP: Duration = Duration::from_secs(60);

/// Interval between two looks at the hosts of the sessions that are followed here.
const SERVE_FOLLOWED: Duration = Duration::from_secs(1);

impl<L: EventLog> Sessions<L> {
    /// Starts the task that renews leases and sweeps. Further calls do nothing.
    pub(crate) fn start_background_tasks(&self) {
        let Some(persistence) = self.persistence() else { return };
        if self.claim_background_tasks() {
            let (sessions, persistence) = (self.clone(), persistence.clone());
            tokio::spawn(async move {
                // Until the shutdown is complete, because sessions that are ending still need their leases.
                let over = sessions.over().clone();
                tokio::select! {
                    () = over.cancelled() => {}
                    () = sessions.renew_leases(&persistence) => {}
                    () = sessions.sweep_for_ever(&persistence) => {}
                    () = sessions.serve_followed(&persistence) => {}
                    () = sessions.serve_inboxes(&persistence) => {}
                }
            });
        }
    }

    async fn renew_leases(&self, persistence: &Persistence) {
        let Some(every) = persistence.catalog.renew_every() else { return std::future::pending().await };
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.leases().renew(&persistence.catalog).await {
                // The catalog has reported once that it does not work.
                tracing::debug!(error = with_sources(&error), "failed to renew leases");
            }
        }
    }

    /// Restores sessions that nobody runs any more and that have readers here: their host has died or stopped.
    async fn serve_followed(&self, persistence: &Persistence) {
        let mut ticks = interval(SERVE_FOLLOWED);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            for id in self.log().followed() {
                if self.in_memory(&id).is_none()
                    && let Err(failure) = self.serve_unless_elsewhere(persistence, &id).await
                {
                    tracing::debug!(
                        session = id,
                        ?failure,
                        "a session could not be restored for its readers"
                    );
                }
            }
        }
    }

    async fn serve_unless_elsewhere(&self, persistence: &Persistence, id: &str) -> Result<(), SessionError> {
        let Some(record) = persistence.catalog.find(id).await? else { return Ok(()) };
        if record.elsewhere && !persistence.catalog.free_if_dead(id).await? {
            return Ok(());
        }
        self.restore_unasked(persistence, id, "its readers").await
    }

    async fn sweep_for_ever(&self, persistence: &Persistence) {
        let mut ticks = interval(SWEEP);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.wake_sessions(persistence).await;
            if let Err(error) = self.sweep(persistence).await {
                tracing::warn!(error = with_sources(&error), "failed to sweep sessions");
            }
        }
    }

    /// Restores the sessions that have to be in memory before the next sweep.
    async fn wake_sessions(&self, persistence: &Persistence) {
        let waking = match persistence.catalog.waking_within(SWEEP).await {
            Ok(waking) => waking,
            Err(error) => {
                tracing::warn!(error = with_sources(&error), "failed to look for sessions that wake up");
                return;
            }
        };
        for record in waking {
            if self.in_memory(&record.id).is_none()
                && let Err(failure) = self.restore_unasked(persistence, &record.id, "a wake-up").await
            {
                tracing::warn!(
                    session = record.id,
                    ?failure,
                    "a session could not be restored for a wake-up"
                );
            }
        }
    }

    async fn sweep(&self, persistence: &Persistence) -> Result<(), CatalogError> {
        let catalog = &persistence.catalog;
        if let Some(inbox) = persistence.inbox() {
            inbox.sweep().await?;
        }
        if let Some(retention) = self.retention() {
            for id in catalog.unused_for(retention).await? {
                // The lock keeps this host from restoring the session, the lease keeps the others from it.
                let _alone = self.restoring().lock(&id).await;
                if self.in_memory(&id).is_none()
                    && let Acquired::Leased(..) = catalog.acquire(&id).await?
                {
                    tracing::info!(session = id, "deleting a session that was unused for the retention time");
                    catalog.tombstone(&id).await?;
                    persistence.erase(self.log(), &id).await;
                }
            }
        }
        // Deletions that a crash interrupted. A session that is still in memory deletes itself.
        for id in catalog.tombstoned().await? {
            if self.in_memory(&id).is_none() {
                persistence.erase(self.log(), &id).await;
            }
        }
        Ok(())
    }
}
