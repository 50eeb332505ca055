//! Webhooks and their links, and notifications on devices: the real server, the real `claude` CLI, receivers and push services
//! of our own, the published verifier of Standard Webhooks, and a published decoder of Web Push.
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
mod push;

use receiver::{Receiver, SECRET};
use support::Builder;

/// A server whose webhooks go to this receiver.
fn hooked(builder: Builder, receiver: &Receiver) -> Builder {
    builder.env("AGENT_WEBKIT_WEBHOOK", receiver.url()).env("AGENT_WEBKIT_WEBHOOK_SECRET", SECRET)
}
