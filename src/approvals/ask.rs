//! [`Ask`] and [`Verdict`]: the question and the answer of a policy.

use std::path::PathBuf;

use serde_json::Value;

/// An agent asks whether it may call a tool.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Ask {
    /// The id of the session whose agent asks.
    pub session_id: String,
    /// The owner of the session: the principal that created it. `None` if authentication is off.
    pub principal: Option<String>,
    /// The directory in which the agent was started.
    pub cwd: PathBuf,
    /// The name of the tool, such as `Bash` or `mcp__city__weather`.
    pub tool_name: String,
    /// The tool's input.
    pub input: Value,
    /// The id of the call, as in the event `tool_use`; the correlation id of its prompt.
    pub tool_use_id: String,
    /// Everything else that the agent gives, such as `blocked_path` and `agent_id`.
    pub context: Value,
}

impl Ask {
    /// Creates an ask, to test a policy.
    #[must_use]
    pub fn new(tool_name: impl Into<String>, input: Value) -> Self {
        Self {
            session_id: String::new(),
            principal: None,
            cwd: PathBuf::from("/"),
            tool_name: tool_name.into(),
            input,
            tool_use_id: String::new(),
            context: Value::Null,
        }
    }

    /// The command of a shell tool. A command may be several: `ls; rm -r /` begins with `ls`.
    #[must_use]
    pub fn command(&self) -> Option<&str> {
        self.input["command"].as_str()
    }

    /// The path that a file tool works on, as the model gave it.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        ["file_path", "notebook_path", "path"].into_iter().find_map(|name| self.input[name].as_str())
    }
}

/// What a policy decides.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Verdict {
    /// The call may run.
    Allow {
        /// The input to run the tool with; `None` for the input that was asked for.
        input: Option<Value>,
    },
    /// The call may not run.
    Deny {
        /// The reason, for the model.
        message: String,
    },
    /// The next policy decides, or else the people who watch the session.
    Pass,
}

impl Verdict {
    /// Allows the call as it is.
    #[must_use]
    pub const fn allow() -> Self {
        Self::Allow { input: None }
    }

    /// Denies the call, with a reason for the model.
    #[must_use]
    pub fn deny(message: impl Into<String>) -> Self {
        Self::Deny { message: message.into() }
    }
}
