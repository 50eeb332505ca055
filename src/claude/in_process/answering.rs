//! The answers of this process to one agent.

use std::sync::Arc;

use serde_json::value::RawValue;

use crate::{
    claude::protocol::bridge::InProcessCall,
    tools::server::{Caller, NamedServer, Running},
};

/// Answers one agent. What is still being answered is cancelled when this is dropped.
pub(crate) struct Answering {
    caller: Caller,
    servers: Running,
}

/// An answer to an agent.
#[derive(Debug)]
pub(crate) enum Answer {
    /// A message of this MCP server.
    Mcp(Arc<str>, Box<RawValue>),
}

impl Answering {
    pub(super) fn start(servers: &[NamedServer], caller: Caller) -> Self {
        Self { servers: Running::start(servers, &caller), caller }
    }

    /// Names the owner of the session.
    pub(crate) fn set_owner(&self, owner: String) {
        self.caller.set_owner(Some(owner));
    }

    /// Begins to answer a call.
    pub(crate) fn take(&mut self, call: InProcessCall) {
        match call {
            InProcessCall::Mcp { server, message } => {
                if !self.servers.send(&server, message) {
                    tracing::warn!(%server, "an in-process MCP server has ended");
                }
            }
        }
    }

    /// Waits for the next answer. Cancel safe.
    pub(crate) async fn next(&mut self) -> Answer {
        let (server, message) = self.servers.next().await;
        Answer::Mcp(server, message)
    }
}
