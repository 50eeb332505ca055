//! The form of a policy file.

use serde::Deserialize;

/// A policy file: `[[rule]]` tables.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) rule: Vec<Rule>,
}

/// A rule. What it does not name, it does not look at.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub(super) effect: Effect,
    /// A pattern of the tool's name.
    pub(super) tool: Option<String>,
    /// A pattern of a shell tool's command.
    pub(super) command: Option<String>,
    /// A pattern of a file tool's path, below the session's directory if it is relative.
    pub(super) path: Option<String>,
    /// A pattern of the name of the session's owner.
    pub(super) principal: Option<String>,
    /// The reason of a denial, for the model.
    pub(super) message: Option<String>,
}

/// What a rule does with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Effect {
    /// The call runs without asking.
    Allow,
    /// The call does not run.
    Deny,
    /// People are asked.
    Ask,
}
