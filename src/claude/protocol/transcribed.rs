//! What the CLI has written to its transcript, compared with what it said.
//!
//! Measured: a CLI that cannot write to its disk says nothing about it. The turn succeeds, no `transcript_mirror`
//! has its messages, and a later process of the session does not know them. In a turn that was written, the
//! transcript has the user's messages and the model's under the uuids of their frames.

use std::{collections::HashSet, mem};

use super::wire::Members;
use crate::{claude::transcripts::deferred, storage::transcripts::Entry};

#[derive(Debug, Default)]
pub(crate) struct Transcribed {
    /// Whether the CLI tells what it writes.
    is_told: bool,
    /// The tool calls in the transcript so far.
    calls: HashSet<String>,
    /// The user messages that are not written.
    sent: HashSet<String>,
    /// The model's messages of the running turn.
    said: HashSet<String>,
    /// All that was written since the last turn ended.
    written: HashSet<String>,
    /// The messages of turns that succeeded which are not written.
    missing: HashSet<String>,
}

impl Transcribed {
    /// Compares turns from now on. Without a transcript store the CLI does not tell what it writes.
    pub(crate) const fn compare(&mut self) {
        self.is_told = true;
    }

    /// Takes a user message that goes to the CLI.
    pub(crate) fn sent(&mut self, uuid: &str) {
        self.sent.insert(uuid.to_owned());
    }

    /// Takes back a user message that the CLI does not run.
    pub(crate) fn not_sent(&mut self, uuid: &str) {
        self.sent.remove(uuid);
    }

    /// Takes an `assistant` frame. What sub-agents say has transcripts of its own, and what the CLI says in
    /// the model's place is not always written.
    pub(crate) fn said(&mut self, frame: &Members<'_>) {
        let model = Members::of(frame.get("message")).text("model");
        if frame.get("parent_tool_use_id").is_none() && model.is_none_or(|model| model != "<synthetic>") {
            self.said.extend(frame.text("uuid").map(Into::into));
        }
    }

    /// Takes an entry of a transcript.
    pub(crate) fn wrote(&mut self, entry: &Entry) {
        self.calls.extend(deferred::calls(entry));
        if let Some(uuid) = entry.uuid() {
            self.sent.remove(&*uuid);
            self.missing.remove(&*uuid);
            self.written.insert(uuid.into_owned());
        }
    }

    /// Takes the end of a turn that answered these user messages. Only of a turn that succeeded is all written.
    pub(crate) fn ended<'a>(&mut self, succeeded: bool, answered: impl Iterator<Item = &'a str>) {
        let unwritten: Vec<_> = answered.filter_map(|uuid| self.sent.take(uuid)).collect();
        let said = mem::take(&mut self.said);
        let written = mem::take(&mut self.written);
        // A command that the CLI carries out by itself is not always written.
        if self.is_told && succeeded && !said.is_empty() {
            self.missing.extend(said.into_iter().filter(|uuid| !written.contains(uuid)));
            self.missing.extend(unwritten);
        }
    }

    /// Whether the transcript has this tool call.
    pub(crate) fn has_call(&self, tool_use_id: &str) -> bool {
        self.calls.contains(tool_use_id)
    }

    /// Whether the transcript has all of the turns that succeeded.
    pub(crate) fn has_turns(&self) -> bool {
        self.missing.is_empty()
    }

    /// Stops waiting for what is missing. Returns whether anything is.
    pub(crate) fn give_up(&mut self) -> bool {
        !mem::take(&mut self.missing).is_empty()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn says(transcribed: &mut Transcribed, uuid: &str, model: &str, parent: Option<&str>) {
        let frame = json!({"uuid": uuid, "parent_tool_use_id": parent, "message": {"model": model}});
        transcribed.said(&serde_json::from_str(&frame.to_string()).unwrap());
    }

    fn writes(transcribed: &mut Transcribed, uuid: &str) {
        transcribed.wrote(&json!({"uuid": uuid}).to_string().parse().unwrap());
    }

    fn compared() -> Transcribed {
        let mut transcribed = Transcribed::default();
        transcribed.compare();
        transcribed.sent("u");
        transcribed
    }

    #[test]
    fn a_turn_is_written_before_or_after_its_end() {
        let mut transcribed = compared();
        writes(&mut transcribed, "u");
        writes(&mut transcribed, "a");
        for uuid in ["a", "b"] {
            says(&mut transcribed, uuid, "m", None);
        }
        transcribed.ended(true, ["u"].into_iter());
        assert!(!transcribed.has_turns());
        writes(&mut transcribed, "b");
        assert!(transcribed.has_turns() && !transcribed.give_up());
    }

    #[test]
    fn a_message_that_is_missing_is_missed_once() {
        for lost in ["u", "a"] {
            let mut transcribed = compared();
            says(&mut transcribed, "a", "m", None);
            ["u", "a"]
                .into_iter()
                .filter(|uuid| *uuid != lost)
                .for_each(|uuid| writes(&mut transcribed, uuid));
            transcribed.ended(true, ["u"].into_iter());
            assert!(!transcribed.has_turns(), "{lost}");
            assert!(transcribed.give_up() && transcribed.has_turns() && !transcribed.give_up());
        }
    }

    #[test]
    fn not_all_has_to_be_written() {
        let mut transcribed = compared();
        transcribed.ended(true, ["u"].into_iter());
        assert!(transcribed.has_turns(), "a command of the CLI's own");

        let mut transcribed = compared();
        writes(&mut transcribed, "u");
        says(&mut transcribed, "s", "<synthetic>", None);
        says(&mut transcribed, "c", "m", Some("toolu_task"));
        transcribed.ended(true, ["u"].into_iter());
        assert!(transcribed.has_turns(), "what the CLI says itself, and a sub-agent");

        let mut transcribed = compared();
        says(&mut transcribed, "a", "m", None);
        transcribed.ended(false, ["u"].into_iter());
        assert!(transcribed.has_turns(), "a turn that failed");

        let mut transcribed = Transcribed::default();
        transcribed.sent("u");
        says(&mut transcribed, "a", "m", None);
        transcribed.ended(true, ["u"].into_iter());
        assert!(transcribed.has_turns(), "an agent without a transcript store");
    }
}
