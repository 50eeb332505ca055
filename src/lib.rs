//! A coding agent behind HTTP: the agent-webkit protocol as tower services.
//!
//! A client makes a session, reads its events as a stream that can be resumed anywhere, sends messages, and
//! answers what the agent asks: may this tool run, which of these options. The agent is the `claude` CLI, or
//! anything else that is a [`tower::Service`] of [`SessionSpec`](agent::SessionSpec)s.
//!
//! [`Stack`] is all of it in one service. It has no framework in its API, and axum, tonic and hyper mount it
//! as it is. In axum:
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
//! The [`guide`] leads from a first session to running it: hosts, auth, storage, deployment, the whole wire.
//!
//! # Where things are
//!
//! | module | what | cargo feature |
//! |---|---|---|
//! | [`proto`] | the wire and one session's state machine, without I/O | |
//! | [`layers`] | bearer auth, id lookup and resumable streams, each over any service | `service` |
//! | [`agent`] | the seam to an agent | `service` |
//! | [`service`] | routes, policy, sessions | `service` |
//! | [`stack`] | the layers in the recommended order | `service` |
//! | [`metrics`] | what is counted and timed | `metrics` |
//! | [`claude`] | the `claude` CLI as an agent | `claude` |
//! | [`storage`] | all that sessions need to outlive their process | `sqlite`, `postgres` |
//! | [`storage::transcripts`] | transcripts outside of the agent's process | `service`; `sqlite`, `postgres` |
//! | [`storage::catalog`] | sessions as rows, and which host runs which | `service`; `sqlite`, `postgres` |
//! | [`storage::events`] | durable event streams | `sqlite`, `postgres` |
//! | [`storage::database`] | the database behind them | `sqlite`, `postgres` |
//! | [`practice`] | a scripted model, where there is no account | `practice` |
//! | [`settings`] | the settings of `agent-webkit serve`, for other hosts | `cli` |
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod proto;

#[cfg(feature = "service")]
pub mod agent;
#[cfg(feature = "service")]
pub use agent_webkit_layers as layers;

#[cfg(feature = "claude")]
pub mod claude;
#[cfg(feature = "service")]
mod error_text;
#[cfg(feature = "service")]
pub mod metrics;
#[cfg(feature = "practice")]
pub mod practice;
#[cfg(feature = "service")]
pub mod service;
#[cfg(feature = "cli")]
pub mod settings;
#[cfg(feature = "service")]
pub mod stack;
#[cfg(feature = "service")]
pub mod storage;
#[cfg(feature = "service")]
pub use crate::stack::Stack;

#[cfg(all(feature = "cli", any(doc, doctest)))]
pub mod guide;
