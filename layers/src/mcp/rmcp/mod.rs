//! For the servers of `rmcp`.

mod event_id;
mod event_store;
mod message;
mod replay;
mod session_store;
