//! What the program that embeds the backend does for its agents: the MCP servers in this process.

mod answering;

use std::sync::Arc;

use serde_json::{Map, json};

pub(super) use self::answering::{Answer, Answering};
use super::protocol::permissions::Permissions;
use crate::tools::{
    Permission, Tools, is_name,
    server::{Caller, McpServer, NamedServer},
};

/// What this process does for every agent.
#[derive(Clone, Debug, Default)]
pub(super) struct InProcess {
    servers: Vec<NamedServer>,
    /// The full names of the tools that every agent may call, and of those that none may.
    allowed: Vec<String>,
    denied: Vec<String>,
}

impl InProcess {
    #[track_caller]
    pub(super) fn add_tools(&mut self, name: &str, tools: Tools) {
        let full = |tool: String| format!("mcp__{name}__{tool}");
        self.allowed.extend(tools.with_permission(Permission::Allow).into_iter().map(full));
        self.denied.extend(tools.with_permission(Permission::Deny).into_iter().map(full));
        self.add_server(name, Arc::new(tools));
    }

    #[track_caller]
    pub(super) fn add_server(&mut self, name: &str, server: Arc<dyn McpServer>) {
        assert!(
            is_name(name) && !name.contains("__"),
            "the name of the server `{name}` must match ^[A-Za-z0-9_-]{{1,64}}$ and hold no `__`"
        );
        let is_taken = self.servers.iter().any(|other| *other.name == *name);
        assert!(!is_taken, "there are two servers of the name `{name}`");
        self.servers.push(NamedServer { name: name.into(), server });
    }

    pub(super) fn server_names(&self) -> Vec<Arc<str>> {
        self.servers.iter().map(|server| Arc::clone(&server.name)).collect()
    }

    /// The servers in the form of the CLI's `--mcp-config`, if there are any. Measured: the CLI waits for those with
    /// `alwaysLoad`; without it, it would drop a call that an earlier process had asked for, because it looks for the
    /// tool before it has connected. `sdkMcpServers` in the handshake can't have it.
    pub(super) fn mcp_config(&self) -> Option<String> {
        let servers = self.servers.iter().map(|NamedServer { name, .. }| {
            (name.to_string(), json!({"type": "sdk", "name": **name, "alwaysLoad": true}))
        });
        let servers: Map<_, _> = servers.collect();
        (!servers.is_empty()).then(|| json!({"mcpServers": servers}).to_string())
    }

    /// Adds what the tools allow and deny.
    pub(super) fn permissions(&self, session: Permissions) -> Permissions {
        session.with_tools(self.allowed.clone(), self.denied.clone())
    }

    /// Starts answering an agent.
    pub(super) fn answer(&self, caller: Caller) -> Answering {
        Answering::start(&self.servers, caller)
    }
}
