//! All sessions of a server: lookup, restore, sweep, and agents started ahead.

pub(crate) mod agents;
pub(crate) mod budgets;
pub(crate) mod keyed_lock;
pub(crate) mod leases;
pub(crate) mod ledger;
pub(crate) mod mail;
pub(crate) mod restore;
pub(crate) mod sessions;
pub(crate) mod slots;
pub(crate) mod sweeper;
pub(crate) mod warm;
