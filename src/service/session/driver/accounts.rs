//! Records the session's cost in the ledger, and stops it when a day's budget is used up.

use std::{ops::ControlFlow, time::Duration};

use tokio::time::Instant;

use super::{Driver, End, now};
use crate::{
    agent::Agent, error_text::with_sources, layers::resume::EventLog, proto::DayCost,
    storage::catalog::CatalogError,
};

/// Pause between two tries to record a cost.
const PAUSE: Duration = Duration::from_secs(2);

/// What of the session's cost is in the ledger.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    cost: DayCost,
    /// When to try again what could not be recorded.
    pub(super) retry_at: Option<Instant>,
}

impl<A: Agent, L: EventLog> Driver<A, L> {
    /// Records the session's cost if it has changed. A running turn counts where there is a budget that others share.
    /// Returns whether the session was stopped.
    pub(super) async fn account(&mut self) -> ControlFlow<End, bool> {
        let shares = self.sessions.policy().has_day_budget();
        let cost = self.session.day_cost();
        let waits = self.recorded.retry_at.is_some_and(|at| at > Instant::now());
        let is_needed = shares || self.lease_guard.is_some() && !self.session.is_in_turn();
        if cost == self.recorded.cost || cost.usd == 0.0 || !is_needed || waits || self.live.is_deleted() {
            return ControlFlow::Continue(false);
        }
        let lease = self.lease_guard.as_ref().map(|guard| guard.lease());
        let (id, owner) = (&self.live.id, self.live.owner.as_ref());
        let recorded = async {
            self.sessions.record_cost(id, owner, lease, cost).await?;
            self.sessions.day_exceeded(owner.map(|owner| &**owner)).await
        };
        match recorded.await {
            Ok(exceeded) => {
                self.recorded = Recorded { cost, retry_at: None };
                let Some(exceeded) = exceeded else { return ControlFlow::Continue(false) };
                self.session.exceed(now(), exceeded);
                ControlFlow::Continue(true)
            }
            Err(CatalogError::Fenced) if self.live.is_deleted() => ControlFlow::Continue(false),
            Err(CatalogError::Fenced) => ControlFlow::Break(End::Fenced),
            Err(error) => {
                let (session, error) = (&*self.live.id, with_sources(&error));
                tracing::warn!(session, error, "a cost cannot be recorded; it is tried again");
                self.recorded.retry_at = Some(Instant::now() + PAUSE);
                ControlFlow::Continue(false)
            }
        }
    }
}
