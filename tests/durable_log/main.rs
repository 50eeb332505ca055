//! The durable event log on SQLite and on a real Postgres: its guarantees for readers and writers.
#![cfg(all(feature = "sqlite", feature = "postgres"))]

mod compaction;
mod crash;
mod ending;
mod following;
mod framings;
mod full_disk;
mod gateways;
mod groups;
mod layer;
mod lost_answers;
mod mcp;
mod model;
mod outage;
mod place;
mod racing;
mod reader;
mod replay;
mod runs;
mod window;
mod writers;

#[path = "../support/ports.rs"]
mod ports;
#[path = "../support/postgres.rs"]
mod postgres;
#[path = "../support/small_disk.rs"]
mod small_disk;
