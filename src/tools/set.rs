//! [`Tools`]: the tools of one server.

use std::collections::BTreeSet;

use super::{Permission, Tool};

/// Tools under one server name.
#[derive(Clone, Debug, Default)]
pub struct Tools {
    pub(super) tools: Vec<Tool>,
    pub(super) instructions: Option<String>,
}

impl Tools {
    /// Creates a set without tools.
    #[must_use]
    pub const fn new() -> Self {
        Self { tools: Vec::new(), instructions: None }
    }

    /// Adds a tool.
    ///
    /// # Panics
    /// If there is a tool of this name, or the name does not match `^[A-Za-z0-9_-]{1,64}$`, which models require.
    #[must_use]
    #[track_caller]
    pub fn tool(mut self, tool: Tool) -> Self {
        let name = &tool.name;
        assert!(is_name(name), "the name of the tool `{name}` must match ^[A-Za-z0-9_-]{{1,64}}$");
        assert!(!self.names().any(|other| other == name), "there are two tools of the name `{name}`");
        self.tools.push(tool);
        self
    }

    /// Sets what the model reads about the tools as a whole, such as when to use them.
    #[must_use]
    pub fn instructions(mut self, text: impl Into<String>) -> Self {
        self.instructions = Some(text.into());
        self
    }

    /// The names of the tools, in the order in which they were added.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tools.iter().map(|tool| &*tool.name)
    }

    /// The names of the tools with this permission.
    pub(crate) fn with_permission(&self, permission: Permission) -> BTreeSet<String> {
        let tools = self.tools.iter().filter(|tool| tool.permission == permission);
        tools.map(|tool| tool.name.clone()).collect()
    }
}

/// Whether this can be the name of a tool or of a server.
pub(crate) fn is_name(name: &str) -> bool {
    let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-');
    (1..=64).contains(&name.len()) && name.bytes().all(allowed)
}
