//! What the guides in `docs` show is true: sessions by curl and scripts run against the real server, examples of JSON
//! are what the crate reads and writes, links lead somewhere. Their Rust is compiled by the doc tests.
#![cfg(feature = "cli")]

mod console;
mod guide;
mod json;
mod links;
mod scripts;
#[path = "../support/mod.rs"]
mod support;
