//! Webhooks and their links: the real server, the real `claude` CLI, receivers of our own, and the published verifier of
//! Standard Webhooks.
#![cfg(all(feature = "cli", target_os = "linux"))]

#[path = "../durable/place.rs"]
#[allow(unused_macros, unused_imports, reason = "the tests of hosts use more of it")]
mod place;
mod receiver;
#[path = "../support/mod.rs"]
mod support;

mod deliveries;
mod examples;
mod hosts;
mod links;
mod owners;

use receiver::{Receiver, SECRET};
use support::Builder;

/// A server whose webhooks go to this receiver.
fn hooked(builder: Builder, receiver: &Receiver) -> Builder {
    builder.env("AGENT_WEBKIT_WEBHOOK", receiver.url()).env("AGENT_WEBKIT_WEBHOOK_SECRET", SECRET)
}
