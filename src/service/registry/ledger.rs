//! The ledger of sessions that are stored nowhere.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use crate::{proto::DayCost, storage::catalog::Spent, sync::lock};

/// The ledger of sessions that are stored nowhere: the current day's.
#[derive(Debug, Default)]
pub(crate) struct MemoryLedger(Mutex<Day>);

#[derive(Debug, Default)]
struct Day {
    day: u64,
    sessions: BTreeMap<Arc<str>, (Option<Arc<str>>, f64)>,
}

impl MemoryLedger {
    pub(super) fn record(&self, id: &Arc<str>, owner: Option<&Arc<str>>, cost: DayCost) {
        let mut day = lock(&self.0);
        if cost.day > day.day {
            *day = Day { day: cost.day, sessions: BTreeMap::new() };
        }
        if cost.day == day.day {
            day.sessions.insert(Arc::clone(id), (owner.cloned(), cost.usd));
        }
    }

    pub(super) fn spent(&self, owner: Option<&str>, on: u64) -> Spent {
        let day = lock(&self.0);
        let sessions = day.sessions.values().filter(|_| day.day == on);
        let mut spent = Spent::default();
        for (whose, usd) in sessions {
            spent.all_usd += usd;
            spent.owner_usd += if whose.as_deref() == owner { *usd } else { 0.0 };
        }
        spent
    }
}
