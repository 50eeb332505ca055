//! What an agent does in a turn.

use std::time::Duration;

use serde_json::{Value, json};

/// One turn of a [`FakeAgent`](super::FakeAgent): its steps, in order.
///
/// ```
/// use agent_webkit::testing::Turn;
/// use serde_json::json;
///
/// let turn = Turn::new()
///     .text("I look first.")
///     .tool("Read", json!({"file_path": "a.txt"}), "hello")
///     .question("Which color?", ["Red", "Blue"])
///     .cost(0.01);
/// # drop(turn);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Turn {
    pub(super) steps: Vec<Step>,
    pub(super) subtype: String,
    pub(super) cost: f64,
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    Text(String),
    Tool(Call),
    /// A tool call that needs permission.
    Ask(Call),
    /// The input of a question.
    Question(Value),
    Wait(Duration),
    Exit(String),
}

/// A tool call with its result.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) tool: String,
    pub(super) input: Value,
    pub(super) output: String,
    pub(super) is_error: bool,
}

impl Turn {
    /// A turn that ends at once, with success and without cost.
    pub fn new() -> Self {
        Self { steps: Vec::new(), subtype: "success".to_owned(), cost: 0.0 }
    }

    /// Says a text: a `message_delta` for each word, and a `message_complete`.
    pub fn text(self, text: impl Into<String>) -> Self {
        self.step(Step::Text(text.into()))
    }

    /// Calls a tool that needs no permission and has this output.
    pub fn tool(self, tool: impl Into<String>, input: Value, output: impl Into<String>) -> Self {
        self.step(Step::Tool(Call { tool: tool.into(), input, output: output.into(), is_error: false }))
    }

    /// Calls a tool that fails with this output.
    pub fn failing_tool(self, tool: impl Into<String>, input: Value, output: impl Into<String>) -> Self {
        self.step(Step::Tool(Call { tool: tool.into(), input, output: output.into(), is_error: true }))
    }

    /// Calls a tool that needs permission, and waits for the answer. If it is allowed, the tool has this output; if it
    /// is denied, the tool fails with the reason and the turn goes on.
    pub fn ask(self, tool: impl Into<String>, input: Value, output: impl Into<String>) -> Self {
        self.step(Step::Ask(Call { tool: tool.into(), input, output: output.into(), is_error: false }))
    }

    /// Asks a question with options, and waits for the answer, which is the output of its tool.
    pub fn question<'a>(
        self,
        question: impl Into<String>,
        options: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let options: Vec<Value> = options.into_iter().map(|label| json!({ "label": label })).collect();
        let question = json!({"question": question.into(), "options": options, "multiSelect": false});
        self.step(Step::Question(json!({ "questions": [question] })))
    }

    /// Waits by tokio's clock.
    pub fn wait(self, time: Duration) -> Self {
        self.step(Step::Wait(time))
    }

    /// Ends the agent in the middle of the turn, with this exit message. The next message starts another agent.
    pub fn exit(self, message: impl Into<String>) -> Self {
        self.step(Step::Exit(message.into()))
    }

    /// Sets the `subtype` of the turn's `result`, such as `error_during_execution` or `error_max_turns`.
    pub fn ends_as(mut self, subtype: impl Into<String>) -> Self {
        self.subtype = subtype.into();
        self
    }

    /// Sets the cost of the turn in US dollars.
    pub fn cost(mut self, usd: f64) -> Self {
        self.cost = usd;
        self
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

impl Default for Turn {
    fn default() -> Self {
        Self::new()
    }
}
