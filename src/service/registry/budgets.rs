//! The ledger: what sessions cost each day, by owner, and the budgets that are used up.

use std::{sync::Arc, time::Duration};

use super::sessions::Sessions;
use crate::{
    layers::resume::EventLog,
    proto::{DayCost, Exceeded},
    service::error::SessionError,
    storage::catalog::{CatalogError, Lease},
    unix_ms,
};

const DAY_MS: u64 = 86_400_000;

impl<L: EventLog> Sessions<L> {
    /// Records what a session has cost on one day. The amount replaces the one before, so that a repetition changes
    /// nothing.
    pub(crate) async fn record_cost(
        &self,
        id: &Arc<str>,
        owner: Option<&Arc<str>>,
        lease: Option<&Lease>,
        cost: DayCost,
    ) -> Result<(), CatalogError> {
        match (self.persistence(), lease) {
            (Some(persistence), Some(lease)) => persistence.catalog.record_cost(lease, cost).await,
            _ => {
                self.ledger().record(id, owner, cost);
                Ok(())
            }
        }
    }

    /// The budget of a day that this owner or the server has used up.
    pub(crate) async fn day_exceeded(&self, owner: Option<&str>) -> Result<Option<Exceeded>, CatalogError> {
        if !self.policy().has_day_budget() {
            return Ok(None);
        }
        let day = unix_ms::now() / DAY_MS;
        let spent = match self.persistence() {
            Some(persistence) => persistence.catalog.spent(owner, day).await?,
            None => self.ledger().spent(owner, day),
        };
        Ok(self.policy().exceeded(&spent, (day + 1) * DAY_MS))
    }
}

impl From<Exceeded> for SessionError {
    fn from(exceeded: Exceeded) -> Self {
        let until = |at: u64| Duration::from_millis(at.saturating_sub(unix_ms::now()));
        Self::BudgetExceeded {
            message: exceeded.to_string(),
            budget: exceeded.budget,
            // Rounded up to whole seconds.
            retry_after: exceeded.free_at_ms.map(|at| Duration::from_secs(until(at).as_secs() + 1)),
        }
    }
}
