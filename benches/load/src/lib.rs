//! Shared by the programs of the bench.

pub mod script;
