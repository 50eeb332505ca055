//! The CLI's control protocol, without I/O: NDJSON lines, the frames in them, and the conversation of one process.

pub(crate) mod asks;
pub(crate) mod bridge;
pub(crate) mod codec;
pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod outbox;
pub(crate) mod stream;
pub(crate) mod wire;
