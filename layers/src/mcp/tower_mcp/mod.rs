//! For the servers of `tower-mcp`.

mod event_store;
mod session_store;
