//! What a session's events say: its messages and their turns, its prompts, its tools.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::Frame;

/// A prefix of a session's stream, understood.
#[derive(Clone, Debug, Default)]
pub(crate) struct Story {
    /// The number of the newest event.
    pub(crate) last: u64,
    /// The messages that were not withdrawn, by their markers, in order.
    pub(crate) messages: Vec<String>,
    /// The ends of these messages' turns, in order.
    pub(crate) results: Vec<Value>,
    /// The outcomes of each prompt.
    pub(crate) prompts: BTreeMap<String, Vec<Value>>,
    /// Whether a tool's result is an error.
    pub(crate) tools: BTreeMap<String, bool>,
    /// The newest `message_complete`.
    pub(crate) newest_message: Value,
    /// The codes of `error` events.
    pub(crate) errors: Vec<String>,
    /// For each report that the transcript has gaps: the number of turns that had ended before it.
    pub(crate) gaps: Vec<usize>,
    /// Number of messages that were withdrawn.
    pub(crate) withdrawn: usize,
}

impl Story {
    /// Adds the next event.
    pub(crate) fn add(&mut self, frame: &Frame) {
        self.last = frame.id.expect("numbered");
        match frame.event.as_str() {
            "user_message" => self.messages.push(marker(&frame["content"])),
            "message_complete" => self.newest_message = frame.data.clone(),
            "permission_request" | "ask_user_question" => {
                self.prompts.entry(frame.str("correlation_id").to_owned()).or_default();
            }
            "prompt_resolved" => {
                let outcomes = self.prompts.entry(frame.str("correlation_id").to_owned()).or_default();
                outcomes.push(frame.data.clone());
            }
            "tool_result" => {
                self.tools.insert(frame.str("tool_use_id").to_owned(), frame["is_error"] == true);
            }
            // A turn that was withdrawn after its beginning has a result, too.
            "result" if frame["terminal_reason"] != "message_withdrawn" => {
                self.results.push(frame.data.clone());
            }
            "error" => self.error(frame.str("code")),
            _ => {}
        }
    }

    fn error(&mut self, code: &str) {
        match code {
            "message_withdrawn" => {
                self.messages.pop();
                self.withdrawn += 1;
            }
            "transcript_incomplete" => self.gaps.push(self.results.len()),
            _ => {}
        }
        self.errors.push(code.to_owned());
    }

    /// Returns the end of this message's turn.
    pub(crate) fn result_of(&self, marker: &str) -> Option<&Value> {
        let turn = self.messages.iter().position(|message| message == marker)?;
        self.results.get(turn)
    }

    /// Whether a gap in the transcript was reported before the end of this turn. One report counts for the next
    /// turn, too, which may have ended while the report waited.
    pub(crate) fn may_be_forgotten(&self, turn: usize) -> bool {
        self.gaps.iter().any(|ended| turn == *ended || turn == ended + 1)
    }

    /// Returns the prompts that are open after the newest event.
    pub(crate) fn open_prompts(&self) -> Vec<&str> {
        let open = self.prompts.iter().filter(|(_, outcomes)| outcomes.is_empty());
        open.map(|(id, _)| id.as_str()).collect()
    }
}

/// Returns the marker at the beginning of a message, with its brackets.
fn marker(content: &Value) -> String {
    let text = content.as_str().unwrap_or_default();
    text.split_inclusive(']').next().unwrap_or_default().to_owned()
}
