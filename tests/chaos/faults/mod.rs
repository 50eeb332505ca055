//! The faults, in lanes: faults of servers and faults of storage happen at the same time.

mod owners;
mod postgres;
mod servers;
mod sqlite;

pub(crate) use owners::{of_nats, of_owners};
pub(crate) use postgres::of_postgres;
pub(crate) use servers::of_servers;
pub(crate) use sqlite::of_sqlite;

use std::sync::atomic::{AtomicUsize, Ordering};

/// The faults that are left.
#[derive(Debug)]
pub(crate) struct Budget(AtomicUsize);

impl Budget {
    pub(crate) fn new(faults: usize) -> Self {
        Self(AtomicUsize::new(faults))
    }

    /// Takes one fault, if one is left.
    pub(crate) fn take(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}
