//! Scripts for the practice model, in the language of `agent_webkit::practice`.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

/// A script. Its text (`to_string`) goes into a prompt, with any text around it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    steps: Vec<Value>,
    token_ms: u64,
}

impl Script {
    /// A script of one step.
    pub(crate) fn new(step: impl Into<Value>) -> Self {
        Self::default().then(step)
    }

    /// A script that answers with a text.
    pub(crate) fn text(text: &str) -> Self {
        Self::new(text)
    }

    /// A script that runs a command, then answers `done`.
    pub(crate) fn bash(command: &str) -> Self {
        Self::new(bash("toolu_bash", command)).then("done")
    }

    /// A script that answers with this many words, after `token_ms` milliseconds each.
    pub(crate) fn slow(words: usize, token_ms: u64) -> Self {
        let text: Vec<_> = (0..words).map(|word| format!("w{word}")).collect();
        Self::new(text.join(" ")).pace(token_ms)
    }

    /// Adds a step.
    pub(crate) fn then(mut self, step: impl Into<Value>) -> Self {
        self.steps.push(step.into());
        self
    }

    /// Sets the milliseconds before each delta.
    pub(crate) fn pace(mut self, token_ms: u64) -> Self {
        self.token_ms = token_ms;
        self
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<<{}>>", json!({"steps": self.steps, "token_ms": self.token_ms}))
    }
}

impl Serialize for Script {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl From<Script> for Value {
    fn from(script: Script) -> Self {
        script.to_string().into()
    }
}

/// A tool call.
pub(crate) fn tool(id: &str, name: &str, input: &Value) -> Value {
    json!({"tool": name, "input": input, "id": id})
}

/// A call of the shell. The CLI asks for permission for commands that write (`touch`); for reading ones
/// (`echo`) it may not.
pub(crate) fn bash(id: &str, command: &str) -> Value {
    tool(id, "Bash", &json!({"command": command}))
}
