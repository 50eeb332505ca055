//! The whole stack in one process, with fake agents, as clients of any host see it.
#![cfg(feature = "service")]

mod around;
mod bodies;
mod capacity;
#[cfg(feature = "metrics")]
#[path = "../support/counted.rs"]
mod counted;
mod embedded;
#[cfg(feature = "sqlite")]
mod embedded_stored;
#[path = "../support/fake.rs"]
mod fake;
#[cfg(feature = "testing")]
mod fake_agent;
mod inputs;
mod late_log;
#[cfg(feature = "sqlite")]
mod locked;
#[cfg(feature = "metrics")]
mod metrics;
#[cfg(all(feature = "metrics", feature = "sqlite"))]
mod metrics_stored;
mod owners;
#[cfg(feature = "sqlite")]
mod restoring;
mod resuming;
mod rig;
mod routes;
mod scopes;
mod sessions;
mod shutdown;
mod tickets;
mod tracing;
mod warm;
