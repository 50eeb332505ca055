//! Sessions that outlive their server: the real server is killed, frozen, stopped and started again, the real
//! `claude` CLI goes on, and a client that comes back has missed nothing.
#![cfg(all(feature = "cli", target_os = "linux"))]

#[path = "../support/mod.rs"]
mod support;

mod cost;
mod crashes;
mod deleting;
mod hibernation;
mod hosts;
mod inputs;
mod outage;
mod place;
mod reader;
mod reference;
mod rows;
mod start;
mod warm;
