//! The CLI's control protocol, without I/O: lines, frames, and the conversation with one process.

pub(crate) mod ask_again;
pub(crate) mod asks;
pub(crate) mod bridge;
pub(crate) mod codec;
mod cron;
pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod mcp;
pub(crate) mod outbox;
pub(crate) mod permissions;
pub(crate) mod stream;
pub(crate) mod transcribed;
pub(crate) mod wakeups;
pub(crate) mod wire;
