//! The protocol without I/O: wire messages and events, and one session's state machine.

mod agent;
mod inbound;
mod session;

pub use agent::{AgentCommand, AgentEvent, AgentMessage, Ask, AskKind, Decision, Delta, Extra, TurnEnd};
pub use inbound::{CreateSession, Inbound, Invalid};
pub use session::{Accepted, IdempotencyKey, OutEvent, Output, Refused, Session, SessionConfig};

/// The version of the wire that this crate speaks.
pub const PROTOCOL_VERSION: &str = "1.0";
