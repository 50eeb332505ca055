//! Checks the guides in `docs`: curl sessions and scripts run against the real server, JSON examples are
//! parsed and written by the crate, links have targets, and examples are short. The doc tests compile the Rust examples.
#![cfg(feature = "cli")]

mod console;
mod guide;
mod json;
mod links;
mod of_api;
#[path = "../support/openapi.rs"]
mod openapi;
mod scripts;
mod short;
#[path = "../support/mod.rs"]
mod support;
