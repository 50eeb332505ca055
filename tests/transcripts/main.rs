//! The transcript stores: one contract, kept by each of them.
#![cfg(all(feature = "sqlite", feature = "postgres"))]

#[path = "../support/postgres.rs"]
mod postgres;

mod fixture;
