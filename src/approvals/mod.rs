//! Approvals in code: what answers the permission requests of agents in place of people.
//!
//! A [`tower::Service`] is called with each [`Ask`] and returns a [`Verdict`];
//! [`Claude::decide`](crate::claude::Claude::decide) sets it. `Rules` (feature `policies`) are such a service, read from a file.
//!
//! ```
//! use std::convert::Infallible;
//!
//! use agent_webkit::approvals::{Ask, Verdict};
//! use tower::service_fn;
//!
//! let policy = service_fn(async |ask: Ask| {
//!     Ok::<_, Infallible>(match ask.command() {
//!         Some("make test") => Verdict::allow(),
//!         Some(command) if command.contains("rm ") => Verdict::deny("Nothing is deleted here."),
//!         _ => Verdict::Pass,
//!     })
//! });
//! # async fn is_a_policy<S: tower::Service<Ask, Response = Verdict> + Clone>(_: S) {}
//! # let _ = is_a_policy(policy);
//! ```

mod ask;
#[cfg(feature = "policies")]
mod rules;
mod service;

pub use self::ask::{Ask, Verdict};
#[cfg(feature = "policies")]
pub use self::rules::{Effect, Rules, RulesError};
pub(crate) use self::service::{AnyPolicy, Guard};
