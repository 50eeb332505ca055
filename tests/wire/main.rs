//! The protocol over the wire: the real server, the real `claude` CLI, the practice model.
#![cfg(feature = "cli")]

#[path = "../support/mod.rs"]
mod support;

mod turns;
