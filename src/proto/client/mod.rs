//! The protocol from a client's side, without I/O: messages to send, events to read.
//!
//! [`ClientMessage`] is the body of `POST …/input`, [`ServerEvent`] is one event of `GET …/stream`. Both are
//! plain values with serde's traits, for a client in Rust and for tests. The module `client` (feature `client`)
//! sends and reads them. Unknown events are kept as
//! [`ServerEvent::Other`], unknown members in each event's `more`.
//!
//! ```
//! use agent_webkit::proto::client::{ClientMessage, ServerEvent};
//!
//! // From a frame of the stream: its `event` and its `data`.
//! let data = r#"{"correlation_id":"toolu_1","tool_name":"Bash","input":{"command":"ls"},"context":{}}"#;
//! let ServerEvent::PermissionRequest(asked) = ServerEvent::parse("permission_request", data)? else { panic!() };
//!
//! // To the body of an input.
//! let answer = if asked.tool_name == "Bash" {
//!     ClientMessage::allow(&asked.correlation_id)
//! } else {
//!     ClientMessage::deny(&asked.correlation_id, "Only the shell, please.")
//! };
//! assert_eq!(
//!     answer.to_json(),
//!     r#"{"type":"permission_response","correlation_id":"toolu_1","behavior":"allow"}"#,
//! );
//! # Ok::<(), serde_json::Error>(())
//! ```

mod answers;
mod event;
mod events;
mod message;
mod numbered;

pub use self::answers::{Created, SessionInfo, Ticket};
pub use self::event::ServerEvent;
pub use self::events::{
    ElicitationRequest, Failed, HookDecisionRequest, McpStatusChange, Members, MessageComplete, MessageDelta,
    PermissionRequest, Piece, PromptResolved, Question, SessionReady, SessionState, Status, TaskUpdate,
    ToolResult, ToolUse, TurnResult, UserMessage, WholeMessage,
};
pub use self::message::{Block, Chosen, ClientMessage, Content, ElicitationAction, ImageSource, Reply};
pub use self::numbered::{Numbered, compacted};
