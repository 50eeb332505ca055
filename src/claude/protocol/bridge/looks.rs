//! Looks at the agent: control requests that read, and the commands, which the CLI reports by itself.

use serde_json::value::RawValue;

use super::{Asked, Bridge};
use crate::{
    claude::protocol::{
        encode::Request,
        wire::{Members, elements},
    },
    proto::{AgentEvent, Extra, Look},
};

/// The slash commands, once the CLI has reported them.
#[derive(Debug, Default)]
pub(super) struct Commands {
    known: Option<Box<RawValue>>,
    /// The requests that came before.
    wanted: Vec<u64>,
}

impl Bridge {
    pub(super) fn look(&mut self, request: u64, look: Look) {
        let asked = Asked::Look { request, look };
        match look {
            Look::Commands => match self.commands.known.clone() {
                Some(found) => self.events.push_back(AgentEvent::Looked { request, found }),
                None => self.commands.wanted.push(request),
            },
            Look::Models => self.ask(asked, Request::ListModels),
            // The summary is an estimate; more would take requests to the model's API.
            Look::Context => self.ask(asked, Request::GetContextUsage { detail: "summary" }),
            Look::Mcp => self.ask(asked, Request::McpStatus),
        }
    }

    pub(super) fn looked(&mut self, request: u64, look: Look, answer: Result<&RawValue, String>) {
        let found = answer.and_then(|answer| {
            let members = Members::of(Some(answer));
            let found = match look {
                Look::Context => Some(answer.to_owned()),
                Look::Models => members.get("models").map(ToOwned::to_owned),
                Look::Mcp => members.get("mcpServers").map(without_configuration),
                Look::Commands => None,
            };
            found.ok_or_else(|| format!("the agent did not report its {}", look.name()))
        });
        self.events.push_back(match found {
            Ok(found) => AgentEvent::Looked { request, found },
            Err(words) => AgentEvent::Answer { request, outcome: Err(words) },
        });
    }

    /// Handles a report of the slash commands.
    pub(super) fn commands_reported(&mut self, commands: Option<&RawValue>) {
        let Some(commands) = commands else { return };
        for request in std::mem::take(&mut self.commands.wanted) {
            self.events.push_back(AgentEvent::Looked { request, found: commands.to_owned() });
        }
        self.commands.known = Some(commands.to_owned());
    }

    /// Refuses the looks that wait for a report.
    pub(super) fn refuse_looks(&mut self) {
        for request in std::mem::take(&mut self.commands.wanted) {
            let outcome = Err("the agent ended before it answered".to_owned());
            self.events.push_back(AgentEvent::Answer { request, outcome });
        }
    }
}

/// The MCP servers without their command lines, URLs and headers, which may hold secrets of the operator.
fn without_configuration(servers: &RawValue) -> Box<RawValue> {
    let servers = elements(Some(servers)).into_iter().map(|server| {
        let members: Extra = Members::of(Some(server)).without(&["config"]);
        let members: Vec<_> =
            members.iter().map(|(name, value)| format!("{}:{value}", quoted(name))).collect();
        format!("{{{}}}", members.join(","))
    });
    let servers: Vec<_> = servers.collect();
    RawValue::from_string(format!("[{}]", servers.join(","))).expect("made of JSON")
}

fn quoted(name: &str) -> String {
    serde_json::to_string(name).expect("a string is always JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_of_a_server_is_left_out() {
        let servers =
            r#"[{"name":"a\n","config":{"headers":{"authorization":"s3cret"}},"tools":[{"name":"t"}]}]"#;
        let servers = RawValue::from_string(servers.to_owned()).unwrap();
        assert_eq!(without_configuration(&servers).get(), r#"[{"name":"a\n","tools":[{"name":"t"}]}]"#);
    }
}
