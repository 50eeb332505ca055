//! The contract of transcript stores, on each of them.
#![cfg(all(feature = "sqlite", feature = "postgres"))]

#[path = "../support/ports.rs"]
mod ports;
#[path = "../support/postgres.rs"]
mod postgres;
#[macro_use]
mod rig;

mod concurrent;
mod contract;
mod fencing;
mod fixture;
mod hostile;
mod outage;
mod reference;
mod summaries;
