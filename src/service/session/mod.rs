//! One session: its task, the connection to its agent, its mailbox, and its lease guard.

pub(crate) mod connection;
pub(crate) mod describe;
pub(crate) mod driver;
pub(crate) mod fork;
pub(crate) mod lease_guard;
pub(crate) mod live;
pub(crate) mod mailbox;
pub(crate) mod place;
pub(crate) mod posted;
pub(crate) mod receipt;
pub(crate) mod session_state;
pub(crate) mod stream_end;
pub(crate) mod title;
pub(crate) mod watched;
