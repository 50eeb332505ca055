//! How the CLI gets its options: flags, environment, and members of the handshake.

use std::{collections::BTreeMap, ffi::OsString};

use serde::Serialize;
use serde_json::{Map, Value};

use super::{AgentDefinition, McpServer, Options};

/// The options that are members of the handshake: a command line is public, and its arguments are limited in length.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Handshake {
    #[serde(skip_serializing_if = "Option::is_none")]
    system_prompt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    append_system_prompt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    json_schema: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agents: Option<BTreeMap<String, AgentDefinition>>,
}

#[derive(Serialize)]
struct McpConfig<'a> {
    #[serde(rename = "mcpServers")]
    servers: &'a BTreeMap<String, McpServer>,
}

impl Options {
    /// The flags for these options, except for those that a session can choose. Values follow a `=`.
    pub(crate) fn flags(&self) -> Vec<OsString> {
        let mut flags = Vec::new();
        let mut flag = |name: &str, value: Option<String>| {
            flags.extend(value.map(|value| format!("--{name}={value}").into()));
        };
        flag("fallback-model", self.fallback_model.clone());
        flag("max-thinking-tokens", self.max_thinking_tokens.map(|tokens| tokens.to_string()));
        flag("max-turns", self.max_turns.map(|turns| turns.to_string()));
        flag("max-budget-usd", self.max_budget_usd.map(|usd| usd.to_string()));
        flag("tools", joined(self.tools.as_ref()));
        flag("allowedTools", joined(self.allowed_tools.as_ref()));
        flag("disallowedTools", joined(self.disallowed_tools.as_ref()));
        flag("betas", joined(self.betas.as_ref()));
        flag("agent", self.agent.clone());
        let sources = self.setting_sources.as_ref();
        flag("setting-sources", joined(sources.map(|sources| sources.iter().map(|source| name(*source)))));
        flag("settings", self.settings.as_ref().map(json));
        flag("mcp-config", self.mcp_servers.as_ref().map(|servers| json(&McpConfig { servers })));
        let directories = |name: &str, directories: &Option<Vec<std::path::PathBuf>>| {
            let directories = directories.iter().flatten();
            let flags = directories.map(|directory| {
                let mut flag = OsString::from(format!("--{name}="));
                flag.push(directory);
                flag
            });
            flags.collect::<Vec<_>>()
        };
        flags.extend(directories("add-dir", &self.add_dirs));
        flags.extend(directories("plugin-dir", &self.plugin_dirs));
        if self.strict_mcp_config == Some(true) {
            flags.push("--strict-mcp-config".into());
        }
        flags
    }

    /// The variables for these options.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (OsString, OsString)> {
        let checkpoints = self.file_checkpoints.map(|keep| {
            ("CLAUDE_CODE_ENABLE_SDK_FILE_CHECKPOINTING".into(), if keep { "1" } else { "0" }.into())
        });
        let set = self.env.iter().flatten().map(|(name, value)| (name.into(), value.into()));
        checkpoints.into_iter().chain(set)
    }

    /// The members of the handshake for these options.
    pub(crate) fn handshake(&self) -> Handshake {
        Handshake {
            system_prompt: self.system_prompt.clone(),
            append_system_prompt: self.append_system_prompt.clone(),
            json_schema: self.json_schema.clone(),
            agents: self.agents.clone(),
        }
    }
}

fn joined(values: Option<impl IntoIterator<Item: AsRef<str>>>) -> Option<String> {
    let values = values?.into_iter().map(|value| value.as_ref().to_owned());
    Some(values.collect::<Vec<_>>().join(","))
}

fn name(source: super::SettingSource) -> &'static str {
    match source {
        super::SettingSource::User => "user",
        super::SettingSource::Project => "project",
        super::SettingSource::Local => "local",
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("made of strings and numbers")
}
