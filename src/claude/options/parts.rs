//! The parts of [`Options`](super::Options) that have a form of their own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A sub-agent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentDefinition {
    /// When to use it, for the model that decides.
    pub description: String,
    /// Its system prompt.
    pub prompt: String,
    /// Its tools; `None` for those of the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<String>>,
    /// Its model; `None` for that of the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// An MCP server. The CLI replaces `${NAME}` in every text by that variable of the agent's environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum McpServer {
    /// A program that the agent starts and speaks to over its standard input and output.
    Stdio {
        /// The program.
        command: String,
        /// Its arguments.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        args: Vec<String>,
        /// Further variables of its environment.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        env: BTreeMap<String, String>,
    },
    /// A server that speaks streamable HTTP.
    Http {
        /// Its URL.
        url: String,
        /// Further headers of each request.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        headers: BTreeMap<String, String>,
    },
    /// A server that speaks HTTP with server-sent events, the older transport.
    Sse {
        /// Its URL.
        url: String,
        /// Further headers of each request.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        headers: BTreeMap<String, String>,
    },
}

/// A settings file of the CLI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SettingSource {
    /// The user's, in the config directory.
    User,
    /// The project's, `.claude/settings.json` in the working directory.
    Project,
    /// The project's for this machine, `.claude/settings.local.json`.
    Local,
}
