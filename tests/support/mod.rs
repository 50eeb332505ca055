//! Fixtures of the tests over the wire: the real server, a client, a reader of streams, and scripts for the
//! practice model.
//!
//! ```ignore
//! let server = Server::start().await;
//! let mut session = server.session().await;
//! session.say(Script::text("Hello.")).await;
//! let result = session.until("result").await;
//! assert_eq!(result["subtype"], "success");
//! session.close().await;
//! ```
#![allow(dead_code, unused_imports, reason = "every test crate uses another part of it")]

mod balancer;
mod cli;
mod client;
#[cfg(feature = "postgres")]
pub(crate) mod deaf;
mod events;
mod faults;
#[cfg(feature = "nats")]
pub(crate) mod nats;
#[cfg(any(feature = "nats", feature = "postgres"))]
mod ports;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
#[cfg(target_os = "linux")]
pub(crate) mod processes;
mod script;
mod server;
mod session;

use std::time::{Duration, Instant};

pub(crate) use cli::claude;
pub(crate) use client::{Client, Reply};
pub(crate) use events::{Events, Frame, PATIENCE};
pub(crate) use faults::{BreakingNetwork, Cuttable, Random};
pub(crate) use script::{Script, bash, tool};
pub(crate) use server::{Builder, Server, TOKEN, example, model_url, skips_balanced};
pub(crate) use session::{Session, allow};

/// Waits until `holds` returns true; fails with `what` if it does not in time.
pub(crate) async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "{what} did not come to hold within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
