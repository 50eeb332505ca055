//! Background tasks for stored sessions: they renew leases, restore the sessions that wake up, and delete unused and
//! tombstoned ones.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::sessions::Sessions;
use crate::{
    error_text::with_sources,
    layers::resume::EventLog,
    storage::{
        catalog::{Acquired, CatalogError},
        persistence::Persistence,
    },
};

/// Interval between sweeps.
const SWEEP: Duration = Duration::from_secs(60);

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
                && let Err(failure) = self.restore_for_wakeup(persistence, &record.id).await
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
