//! The core service: routes, bodies, errors, and the sessions behind them (`docs/protocol.md`, Routes).
//!
//! [`AgentService`] is the protocol as a [`tower::Service`] over any [`Agent`](crate::agent::Agent). It does
//! not authenticate callers; the layers around it do. [`Stack`](crate::Stack) is the service with all layers.
//!
//! | path | methods |
//! |---|---|
//! | `/sessions` | `POST` creates a session, `GET` lists the caller's |
//! | `/sessions/{id}` | `GET` describes the session, `DELETE` ends it |
//! | `/sessions/{id}/stream` | `GET` streams its events |
//! | `/sessions/{id}/input` | `POST` sends it one message |
//! | `/sessions/{id}/commands`, `/models`, `/context`, `/mcp` | `GET` returns what the agent has |
//! | `/sessions/{id}/files` | `GET` returns paths below the session's directory |
//! | `/sessions/{id}/tickets` | `POST` issues a ticket for clients that cannot set headers |
//!
//! Each also accepts `OPTIONS`, and `HEAD` where there is a `GET`. Every error is `{"detail": "<a
//! sentence>"}`.
//!
//! A caller whose `Principal` has scopes needs [`READ`] for `GET` and for tickets, [`APPROVE`] to answer
//! prompts and to choose a mode in which the agent asks less, and [`DRIVE`] for everything else.

mod error;
mod files;
mod handle;
#[cfg_attr(not(feature = "push"), allow(unused_imports, reason = "push has routes of its own"))]
pub(crate) mod http;
mod limits;
#[cfg_attr(not(feature = "webhooks"), allow(dead_code, reason = "webhooks are the only notices"))]
pub(crate) mod notices;
mod policy;
mod registry;
mod session;

pub(crate) use self::http::{route::session_of, span::record_in_span, stream::find as find_stream};
#[cfg(feature = "push")]
pub(crate) use self::session::describe::open_prompts;
pub use crate::layers::reply::ResponseBody;

/// The description of the protocol's routes, bodies and events, in OpenAPI 3.1. A [`Stack`](crate::Stack) answers it on
/// `/openapi.json`.
pub const OPENAPI: &str = include_str!("../../docs/openapi.json");

pub use self::{
    error::SessionError,
    handle::{NewMessage, NewSession, SessionEvent, SessionEvents, SessionHandle},
    http::{
        agent_service::{AgentService, Events, ResponseFuture},
        resolving::Resolving,
        route::session_id,
        scope::{APPROVE, DRIVE, READ},
        ticket::ticket_resource,
    },
    limits::Limits,
    policy::Policy,
    registry::sessions::Sessions,
    session::watched::{WatchedStream, WatchedTail},
};
