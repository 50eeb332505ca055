//! What the program that embeds the backend answers instead of clients: its MCP servers.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::{Asked, Bridge};
use crate::claude::protocol::{
    encode::{Request, ResponseFrame},
    mcp::{FromCli, FromServer},
    wire::Members,
};

/// A call of the program.
#[derive(Debug)]
pub(crate) enum InProcessCall {
    /// A message to one of its MCP servers.
    Mcp { server: Arc<str>, message: Box<RawValue> },
}

impl Bridge {
    /// Takes the calls of the program, oldest first.
    pub(crate) fn take_calls(&mut self) -> Vec<InProcessCall> {
        std::mem::take(&mut self.calls)
    }

    /// Handles a message of an MCP server of the program.
    pub(crate) fn handle_mcp_server(&mut self, server: &Arc<str>, message: &RawValue) {
        match self.mcp_messages.take_from_server(server, message) {
            FromServer::Answer { control_request } => {
                self.outbox.push(&ResponseFrame::mcp(&control_request, message));
            }
            FromServer::Request(event) => {
                self.events.extend(event);
                self.ask(Asked::McpMessage, Request::McpMessage { server_name: server, message });
            }
            FromServer::Late => {}
        }
    }

    pub(super) fn mcp_message(&mut self, id: &str, request: &Members<'_>) {
        let Some(FromCli { server, message, is_acknowledged }) =
            self.mcp_messages.take_from_cli(id, request, &self.mcp_servers)
        else {
            return self.outbox.push(&ResponseFrame::error(id, "there is no such in-process MCP server"));
        };
        if is_acknowledged {
            let nothing: &RawValue =
                serde_json::from_str(r#"{"jsonrpc":"2.0","result":{},"id":0}"#).expect("it is JSON");
            self.outbox.push(&ResponseFrame::mcp(id, nothing));
        }
        self.calls.push(InProcessCall::Mcp { server, message });
    }
}
