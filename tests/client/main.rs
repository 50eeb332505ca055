//! The Rust client: over a stack in this process, over connections that break, and in a terminal.
#![cfg(feature = "cli")]

mod attach;
mod cuts;
mod example;
mod expected;
#[allow(dead_code, reason = "other test crates use more of it")]
#[path = "../support/fake.rs"]
mod fake;
#[allow(dead_code, reason = "other test crates use more of it")]
#[path = "../stack/rig.rs"]
mod rig;
mod stack;
#[path = "../support/mod.rs"]
mod support;
