//! The protocol over the wire: the real server, the real `claude` CLI, the practice model.
//!
//! One module per behaviour; each test tells a story and starts its own server. They share one crate, so
//! that they are linked once.
#![cfg(feature = "cli")]

#[path = "../support/mod.rs"]
mod support;

mod around;
mod auth;
mod broken_streams;
mod budgets;
mod create;
mod elicitation;
mod fixtures;
mod genui;
mod http;
mod idempotency;
mod interrupt;
mod limits;
mod looks;
mod messages;
mod metrics;
mod model;
mod modes;
mod npm_clients;
#[path = "../support/openapi.rs"]
mod openapi;
mod permissions;
mod policy;
mod profiles;
mod questions;
mod refused_early;
mod resume;
mod smuggling;
mod tasks;
mod turns;
mod typed;
mod walls;
