//! The protocol without I/O: wire messages and events, and one session's state machine.
//!
//! Nothing here reads a clock, a socket or a random number: time is an argument, and actions are returned as
//! data. It builds with `--no-default-features`, on serde, without a runtime.
//!
//! - [`CreateSession`], [`Inbound`]: the messages of clients, checked field by field.
//! - [`Session`]: one session. [`Inbound`] and [`AgentEvent`] go in, [`Output`] comes out.
//! - [`client`]: the client's side, messages to send and events to read.
//! - [`AgentEvent`], [`AgentCommand`]: the events and commands between a session and any agent.

mod agent;
mod answers;
mod budget;
pub mod client;
mod cost;
mod event;
mod fields;
mod fork_of;
mod idempotency;
mod inbound;
mod invalid;
mod json;
mod message_ids;
mod messages;
mod note;
mod output;
mod permissions;
mod prompts;
mod session;
mod turn;
mod wakeups;

pub use self::agent::{
    AgentCommand, AgentEvent, AgentMessage, Ask, AskKind, Decision, Delta, Effort, Extra, Look, TurnEnd,
    Wakeup, WakeupKind,
};
pub use self::answers::Answers;
pub use self::budget::{Budget, DayCost, Exceeded};
pub use self::event::OutEvent;
pub use self::fork_of::ForkOf;
pub use self::idempotency::IdempotencyKey;
pub use self::inbound::{CreateSession, Inbound};
pub use self::invalid::Invalid;
pub use self::note::{Memo, Note, OpenPrompt, Status};
pub use self::output::{Accepted, NoAnswer, Output, Refused};
pub use self::session::{Looked, Presence, Session, SessionConfig, WhenIdle};

/// The version of the protocol that this crate implements.
pub const PROTOCOL_VERSION: &str = "1.0";
