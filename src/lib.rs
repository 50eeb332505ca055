//! Serves a coding agent over HTTP: the agent-webkit protocol as tower services.
//!
//! A client creates a session, reads its events as a resumable stream, sends messages, and answers the
//! agent's prompts: whether a tool may run, or which option to choose. The agent is the `claude` CLI or any
//! other [`tower::Service`] that accepts a [`SessionSpec`](agent::SessionSpec).
//!
//! [`Stack`] combines all parts in one service. Its API names no web framework, so axum, tonic and hyper
//! mount it unchanged. In axum:
//!
//! ```no_run
//! use agent_webkit::{Stack, claude::Claude, layers::auth::StaticTokens, service::Policy};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let claude = Claude::new(Claude::discover().ok_or("there is no claude on the PATH")?);
//! let stack = Stack::builder(claude, Policy::new(["/srv/projects"])?)
//!     .auth(StaticTokens::new([std::env::var("TOKEN")?])?)
//!     .build();
//! let sessions = stack.sessions().clone();
//!
//! let app = axum::Router::new().nest_service("/agents", stack);
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8000").await?;
//! let ended = async move {
//!     let _ = tokio::signal::ctrl_c().await;
//!     sessions.shutdown().await;
//! };
//! axum::serve(listener, app).with_graceful_shutdown(ended).await?;
//! # Ok(())
//! # }
//! ```
//!
//! The [`guide`] covers the first session, hosts, authentication, storage, deployment and the wire protocol.
//!
//! # Modules
//!
//! | module | contents | cargo feature |
//! |---|---|---|
//! | [`proto`] | the wire protocol and one session's state machine, without I/O | |
//! | [`client`] | a client over any HTTP client, whose event streams reconnect by themselves | `client` |
//! | [`layers`] | middleware for any service: authentication, id lookup, resumable streams | `service`; `client` |
//! | [`agent`] | the interface to agents | `service` |
//! | [`service`] | routes, policy, sessions | `service` |
//! | [`stack`] | the layers in the recommended order | `service` |
//! | [`metrics`] | counters, gauges and timers | `metrics` |
//! | [`claude`] | the `claude` CLI as an agent | `claude` |
//! | [`approvals`] | permission requests that code or rules answer | `claude`; `policies` |
//! | [`genui`] | components of a user interface that agents show | `service`; `claude`, `tools` |
//! | [`tools`] | tools of an agent that run in this process | `claude`; `tools`, `mcp` |
//! | [`storage`] | sessions that outlive the process | `sqlite`, `postgres` |
//! | [`storage::transcripts`] | transcript stores | `service`; `sqlite`, `postgres` |
//! | [`storage::catalog`] | the session catalog with its leases | `service`; `sqlite`, `postgres` |
//! | [`storage::events`] | durable event logs | `sqlite`, `postgres` |
//! | [`storage::database`] | opens and migrates the database | `sqlite`, `postgres` |
//! | [`webhooks`] | signed webhooks, and links that answer one prompt | `webhooks` |
//! | [`push`] | notifications on the devices of owners, by Web Push | `push` |
//! | [`console`] | a page for browsers, as a service | `console` |
//! | [`check`] | checks of a running server or of any resumable stream | `check` |
//! | [`practice`] | a scripted model that needs no account | `practice` |
//! | [`testing`] | a scripted agent, for tests without the CLI | `testing` |
//! | [`settings`] | the settings of `agent-webkit serve`, for use in other hosts | `cli` |
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod proto;

#[cfg(feature = "service")]
pub mod agent;
#[cfg(any(feature = "service", feature = "client"))]
pub use agent_webkit_layers as layers;

#[cfg(feature = "claude")]
pub mod approvals;
#[cfg(any(feature = "service", feature = "client"))]
mod backoff;
#[cfg(feature = "check")]
pub mod check;
#[cfg(feature = "claude")]
pub mod claude;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "console")]
pub mod console;
#[cfg(feature = "service")]
mod error_text;
#[cfg(feature = "service")]
pub mod genui;
#[cfg(feature = "service")]
pub mod metrics;
#[cfg(feature = "practice")]
pub mod practice;
#[cfg(feature = "push")]
pub mod push;
#[cfg(feature = "service")]
pub mod service;
#[cfg(feature = "cli")]
pub mod settings;
#[cfg(feature = "service")]
pub mod stack;
#[cfg(feature = "service")]
pub mod storage;
#[cfg(feature = "service")]
mod sync;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "claude")]
pub mod tools;
#[cfg(feature = "service")]
mod unix_ms;
#[cfg(feature = "webhooks")]
pub mod webhooks;
#[cfg(feature = "service")]
pub use crate::stack::Stack;

#[cfg(all(feature = "cli", feature = "testing", feature = "tools", any(doc, doctest)))]
pub mod guide;
