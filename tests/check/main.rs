//! The conformance checks: what they find in servers that break a promise, and that ours breaks none.
#![cfg(feature = "cli")]

mod command;
mod reference;
mod streams;
#[path = "../support/mod.rs"]
mod support;
