//! The whole stack in one process, over fake agents: what clients of any host see.
#![cfg(feature = "service")]

mod bodies;
mod capacity;
#[path = "../support/fake.rs"]
mod fake;
mod inputs;
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
