//! What the program that embeds the backend does for its agents: the MCP servers in this process.

mod answering;

use std::{fmt, path::Path, sync::Arc};

use serde_json::{
    Map, Value, json,
    value::{RawValue, to_raw_value},
};

pub(super) use self::answering::{Answer, Answering};
use super::{
    hooks::{Hook, HookEvent},
    protocol::{
        bridge::{GUARD, HOOK},
        permissions::Permissions,
    },
};
use crate::approvals::{AnyPolicy, Ask, Guard, Verdict};
use crate::tools::{
    Permission, Tools, is_name,
    server::{Caller, McpServer, NamedServer},
};

/// How long the CLI waits for a hook, in seconds: a day, because a hook may leave its decision to people.
const PATIENCE: u64 = 86_400;

/// What this process does for every agent.
#[derive(Clone, Default)]
pub(super) struct InProcess {
    servers: Vec<NamedServer>,
    /// The full names of the tools that every agent may call, and of those that none may.
    allowed: Vec<String>,
    denied: Vec<String>,
    /// Asked in this order.
    policies: Vec<AnyPolicy>,
    /// Looks at every call of a tool.
    guards: Vec<Guard>,
    hooks: Vec<Hook>,
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

    /// The servers in the form of the CLI's `--mcp-config`, if there are any. Measured: a resumed CLI that knows a server
    /// from `sdkMcpServers` in the handshake alone drops a call that an earlier process had asked for, because it looks
    /// for the tool before it has connected. With `alwaysLoad` it waits for the server.
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

    pub(super) fn add_policy(&mut self, policy: AnyPolicy, guard: Option<Guard>) {
        self.policies.push(policy);
        self.guards.extend(guard);
    }

    pub(super) const fn has_policies(&self) -> bool {
        !self.policies.is_empty()
    }

    pub(super) fn add_hook(&mut self, hook: Hook) {
        self.hooks.push(hook);
    }

    /// Adds the hooks of this process to those that clients answer.
    pub(super) fn hooks(&self, clients: Option<&RawValue>) -> Option<Box<RawValue>> {
        let clients: Option<Map<String, Value>> =
            clients.and_then(|hooks| serde_json::from_str(hooks.get()).ok());
        let mut all = clients.unwrap_or_default();
        let mut add = |event: HookEvent, matcher: &Option<String>, id: String| {
            let mut entry = json!({"hookCallbackIds": [id], "timeout": PATIENCE});
            if let Some(matcher) = matcher {
                entry["matcher"] = json!(matcher);
            }
            if let Some(entries) = all.entry(event.as_str()).or_insert_with(|| json!([])).as_array_mut() {
                entries.push(entry);
            }
        };
        if !self.guards.is_empty() {
            add(HookEvent::PreToolUse, &None, GUARD.to_owned());
        }
        for (number, hook) in self.hooks.iter().enumerate() {
            add(hook.event, &hook.matcher, format!("{HOOK}{number}"));
        }
        (!all.is_empty()).then(|| to_raw_value(&all).expect("it is JSON"))
    }

    fn hook(&self, callback_id: &str) -> Option<Hook> {
        let number: usize = callback_id.strip_prefix(HOOK)?.parse().ok()?;
        self.hooks.get(number).cloned()
    }

    fn is_guard(&self, callback_id: &str) -> bool {
        callback_id == GUARD
    }

    /// What the first policy says that has to look at this call.
    fn guard(&self, ask: &Ask) -> Option<Verdict> {
        self.guards.iter().find_map(|guard| guard(ask))
    }

    /// Starts answering an agent.
    pub(super) fn answer(&self, caller: Caller, cwd: &Path) -> Answering {
        Answering::start(self.clone(), caller, cwd.to_owned())
    }
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InProcess")
            .field("servers", &self.servers)
            .field("policies", &self.policies)
            .field("hooks", &self.hooks)
            .finish_non_exhaustive()
    }
}
