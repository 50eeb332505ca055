//! Databases that cannot be used: they are refused with one clear sentence, and nothing is overwritten.
#![cfg(all(feature = "sqlite", feature = "postgres"))]

#[path = "../support/pooler.rs"]
mod pooler_process;
#[path = "../support/ports.rs"]
mod ports;
#[path = "../support/postgres.rs"]
mod postgres;

mod pooler;
mod server;
mod sqlite_file;
