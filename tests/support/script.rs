//! What the practice model is to answer; its language is told in `agent_webkit::practice`.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

/// A script, step by step. Its text (`to_string`) goes into a prompt, with anything around it.
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

    /// A script that says something.
    pub(crate) fn text(text: &str) -> Self {
        Self::new(text)
    }

    /// A script that runs a command, then says `done`.
    pub(crate) fn bash(command: &str) -> Self {
        Self::new(bash("toolu_bash", command)).then("done")
    }

    /// A script that says so many words, with so many milliseconds before each.
    pub(crate) fn slow(words: usize, token_ms: u64) -> Self {
        let text: Vec<_> = (0..words).map(|word| format!("w{word}")).collect();
        Self::new(text.join(" ")).pace(token_ms)
    }

    /// A further step.
    pub(crate) fn then(mut self, step: impl Into<Value>) -> Self {
        self.steps.push(step.into());
        self
    }

    /// The milliseconds before each delta.
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

/// A call of a tool.
pub(crate) fn tool(id: &str, name: &str, input: &Value) -> Value {
    json!({"tool": name, "input": input, "id": id})
}

/// A call of the shell. Commands that write (`touch`) are asked for, reading ones (`echo`) may not be.
pub(crate) fn bash(id: &str, command: &str) -> Value {
    tool(id, "Bash", &json!({"command": command}))
}
