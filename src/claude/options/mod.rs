//! [`Options`]: what the host sets for its agents, and no client can.

mod factory;
mod flags;
mod parts;
mod profiles;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(super) use self::factory::{AnyFactory, Factory};
pub(super) use self::flags::Handshake;
pub use self::parts::{AgentDefinition, McpServer, SettingSource};
pub use self::profiles::Profiles;

/// Options of the CLI that the host sets for its agents. What is not set has the CLI's default.
///
/// They hold for each agent of a session, also for those that are started when it wakes. With serde they read and
/// write as a map with the names of the setters; unknown names are refused. A client can set none of them: it chooses
/// a [profile](super::Claude::profile) by name.
///
/// Prompts, sub-agents and the schema of the answer go to the CLI over its standard input. The others are on its
/// command line, which every user of the machine can read: give secrets of MCP servers as `${NAME}`, with the value in
/// the agents' [environment](Self::env).
///
/// ```
/// use agent_webkit::claude::Options;
///
/// let reviewer = Options::new()
///     .append_system_prompt("You review changes and change nothing.")
///     .tools(["Read", "Grep", "Glob"])
///     .max_turns(20);
/// let read: Options = serde_json::from_str(r#"{"tools":["Read","Grep","Glob"],"max_turns":20,
///     "append_system_prompt":"You review changes and change nothing."}"#)?;
/// assert_eq!(read, reviewer);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fallback_model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) permission_mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) effort: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_thinking_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_turns: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_budget_usd: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_prompt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    append_system_prompt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    json_schema: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed_tools: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disallowed_tools: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agents: Option<BTreeMap<String, AgentDefinition>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mcp_servers: Option<BTreeMap<String, McpServer>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict_mcp_config: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    setting_sources: Option<Vec<SettingSource>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    settings: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    add_dirs: Option<Vec<PathBuf>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plugin_dirs: Option<Vec<PathBuf>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    betas: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_checkpoints: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) env: Option<BTreeMap<String, String>>,
}

impl Options {
    /// No options: the CLI's defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the model of sessions that choose none.
    #[must_use]
    pub fn model(self, model: impl Into<String>) -> Self {
        Self { model: Some(model.into()), ..self }
    }

    /// Sets the model for requests that the chosen model is too busy to answer.
    #[must_use]
    pub fn fallback_model(self, model: impl Into<String>) -> Self {
        Self { fallback_model: Some(model.into()), ..self }
    }

    /// Sets the permission mode of sessions that choose none. `bypassPermissions` needs the permission of the
    /// [`Policy`](crate::service::Policy) here as well.
    #[must_use]
    pub fn permission_mode(self, mode: impl Into<String>) -> Self {
        Self { permission_mode: Some(mode.into()), ..self }
    }

    /// Sets how hard the model thinks where the session has not chosen: `low`, `medium`, `high` or what the model knows
    /// besides.
    #[must_use]
    pub fn effort(self, effort: impl Into<String>) -> Self {
        Self { effort: Some(effort.into()), ..self }
    }

    /// Sets the maximum number of thinking tokens per answer, for models that think by number.
    #[must_use]
    pub fn max_thinking_tokens(self, tokens: u32) -> Self {
        Self { max_thinking_tokens: Some(tokens), ..self }
    }

    /// Sets the maximum number of the model's answers in a turn. At the limit the turn ends in a `result` with the
    /// subtype `error_max_turns`.
    #[must_use]
    pub fn max_turns(self, turns: u32) -> Self {
        Self { max_turns: Some(turns), ..self }
    }

    /// Sets what one agent process may spend, in USD. At the limit the turn ends in a `result` with the subtype
    /// `error_max_budget_usd`. An agent that is started anew counts from zero.
    #[must_use]
    pub fn max_budget_usd(self, usd: f64) -> Self {
        Self { max_budget_usd: Some(usd), ..self }
    }

    /// Replaces the CLI's system prompt.
    #[must_use]
    pub fn system_prompt(self, prompt: impl Into<String>) -> Self {
        Self { system_prompt: Some(prompt.into()), ..self }
    }

    /// Sets a text after the system prompt.
    #[must_use]
    pub fn append_system_prompt(self, prompt: impl Into<String>) -> Self {
        Self { append_system_prompt: Some(prompt.into()), ..self }
    }

    /// Sets the JSON Schema of a turn's answer, which is then the `structured_output` of its `result`.
    #[must_use]
    pub fn json_schema(self, schema: Map<String, Value>) -> Self {
        Self { json_schema: Some(schema), ..self }
    }

    /// Sets the built-in tools that the agent has. An empty list leaves it none.
    #[must_use]
    pub fn tools<T: Into<String>>(self, names: impl IntoIterator<Item = T>) -> Self {
        Self { tools: Some(list(names)), ..self }
    }

    /// Sets tools and calls that are allowed without asking, as permission rules such as `Read` and `Bash(git log:*)`.
    #[must_use]
    pub fn allowed_tools<T: Into<String>>(self, rules: impl IntoIterator<Item = T>) -> Self {
        Self { allowed_tools: Some(list(rules)), ..self }
    }

    /// Sets tools that the agent does not have, and calls that are refused, as permission rules.
    #[must_use]
    pub fn disallowed_tools<T: Into<String>>(self, rules: impl IntoIterator<Item = T>) -> Self {
        Self { disallowed_tools: Some(list(rules)), ..self }
    }

    /// Adds a sub-agent with this name.
    #[must_use]
    pub fn sub_agent(mut self, name: impl Into<String>, definition: AgentDefinition) -> Self {
        self.agents.get_or_insert_default().insert(name.into(), definition);
        self
    }

    /// Sets the sub-agent whose prompt and tools the session itself has.
    #[must_use]
    pub fn agent(self, name: impl Into<String>) -> Self {
        Self { agent: Some(name.into()), ..self }
    }

    /// Adds an MCP server with this name.
    #[must_use]
    pub fn mcp_server(mut self, name: impl Into<String>, server: McpServer) -> Self {
        self.mcp_servers.get_or_insert_default().insert(name.into(), server);
        self
    }

    /// Sets whether the agent uses the MCP servers of these options alone, and none from configuration files.
    #[must_use]
    pub fn strict_mcp_config(self, strict: bool) -> Self {
        Self { strict_mcp_config: Some(strict), ..self }
    }

    /// Sets the settings files that the agent reads. An empty list leaves it none.
    #[must_use]
    pub fn setting_sources(self, sources: impl IntoIterator<Item = SettingSource>) -> Self {
        Self { setting_sources: Some(sources.into_iter().collect()), ..self }
    }

    /// Sets further settings, as in a settings file of the CLI. They take precedence over the files.
    #[must_use]
    pub fn settings(self, settings: Map<String, Value>) -> Self {
        Self { settings: Some(settings), ..self }
    }

    /// Adds a directory that the agent may work in beside the session's.
    #[must_use]
    pub fn add_dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.add_dirs.get_or_insert_default().push(directory.as_ref().to_owned());
        self
    }

    /// Adds a directory with a plugin.
    #[must_use]
    pub fn plugin_dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.plugin_dirs.get_or_insert_default().push(directory.as_ref().to_owned());
        self
    }

    /// Sets beta features of the model's API.
    #[must_use]
    pub fn betas<T: Into<String>>(self, names: impl IntoIterator<Item = T>) -> Self {
        Self { betas: Some(list(names)), ..self }
    }

    /// Sets whether the CLI keeps the files as they were before each message.
    #[must_use]
    pub fn file_checkpoints(self, keep: bool) -> Self {
        Self { file_checkpoints: Some(keep), ..self }
    }

    /// Sets a variable of the agent's environment. The server's own variables (`AGENT_WEBKIT_*`, `DATABASE_URL`) are
    /// ignored.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.get_or_insert_default().insert(name.into(), value.into());
        self
    }

    /// Adds the options of `below` that are not set here. A list or map that is set here replaces that of `below`.
    #[must_use]
    pub fn over(self, below: Self) -> Self {
        macro_rules! each {
            ($($name:ident)*) => { Self { $($name: self.$name.or(below.$name)),* } };
        }
        each! {
            model fallback_model permission_mode effort max_thinking_tokens max_turns max_budget_usd system_prompt
            append_system_prompt json_schema tools allowed_tools disallowed_tools agents agent mcp_servers
            strict_mcp_config setting_sources settings add_dirs plugin_dirs betas file_checkpoints env
        }
    }
}

fn list<T: Into<String>>(values: impl IntoIterator<Item = T>) -> Vec<String> {
    values.into_iter().map(Into::into).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_replaces_what_is_below() {
        let below = Options::new().model("a").max_turns(3).tools(["Read"]).env("A", "1");
        let over = Options::new().tools(["Bash"]).effort("low");
        let expected = Options::new().model("a").max_turns(3).env("A", "1").tools(["Bash"]).effort("low");
        assert_eq!(over.over(below), expected);
    }

    #[test]
    fn an_unknown_name_is_refused() {
        let error = serde_json::from_str::<Options>(r#"{"sytem_prompt":"x"}"#).unwrap_err();
        assert!(error.to_string().contains("sytem_prompt"), "{error}");
    }
}
