//! Checks the invariants of a session's outputs.

use std::collections::BTreeSet;

use agent_webkit::proto::{AgentCommand, Note, OutEvent, Output};
use serde_json::Value;

/// The state of the session, as far as its outputs show it.
#[derive(Debug, Default)]
pub(crate) struct Observer {
    pub(crate) agent_up: bool,
    pub(crate) start_wanted: bool,
    pub(crate) turn_runs: bool,
    pub(crate) asked: BTreeSet<u64>,
    pub(crate) open_prompts: BTreeSet<String>,
    events: usize,
    done: bool,
    pub(crate) closed: bool,
}

impl Observer {
    /// Creates an observer of a new session, whose agent is being started.
    pub(crate) fn new() -> Self {
        Self { start_wanted: true, ..Self::default() }
    }

    pub(crate) fn see(&mut self, output: Output) {
        assert!(!self.closed, "nothing comes after the end: {output:?}");
        match output {
            Output::Event(event) => self.see_event(&event),
            Output::Command(command) => {
                assert!(self.agent_up, "a command without an agent: {command:?}");
                if let AgentCommand::User { content, .. } = command {
                    assert!(!content.get().contains(['\n', '\r']), "a line break got through");
                    assert!(!self.turn_runs, "a message was sent while a turn runs");
                    self.turn_runs = true;
                }
            }
            Output::Start { .. } => {
                assert!(!self.agent_up && !self.start_wanted, "two agents at once");
                self.start_wanted = true;
            }
            Output::Answer { request, .. } => {
                assert!(self.asked.remove(&request), "answered twice, or never asked");
            }
            Output::Stop => {
                assert!(!self.turn_runs || self.done, "an agent was let go in its turn");
                self.agent_up = false;
                self.start_wanted = false;
            }
            Output::Closed => self.closed = true,
            _ => {}
        }
    }

    fn see_event(&mut self, event: &OutEvent) {
        assert!(!self.done, "{} comes after done", event.name);
        assert_eq!(event.name == "session_ready", self.events == 0, "session_ready is the first event");
        self.events += 1;
        self.done = event.name == "done";

        assert!(!event.data.iter().any(|byte| matches!(byte, b'\n' | b'\r')), "a line break got through");
        let data: Value = serde_json::from_slice(&event.data).expect("an event's data is JSON");
        let prompt = || data["correlation_id"].as_str().expect("a correlation_id").to_owned();
        match event.name {
            "permission_request" | "ask_user_question" | "hook_decision_request" => {
                assert!(self.open_prompts.insert(prompt()), "asked twice without an end");
            }
            "prompt_resolved" => {
                assert!(self.open_prompts.remove(&prompt()), "settled twice, or never asked");
            }
            _ => {}
        }
    }

    /// Records that the process was lost. The session is restored from its note, and the open prompts must
    /// still settle.
    pub(crate) fn see_process_lost(&mut self) {
        self.agent_up = false;
        self.start_wanted = false;
        self.turn_runs = false;
        self.asked.clear();
    }

    pub(crate) fn see_note(&self, note: &Note) {
        let pending: BTreeSet<_> = note.pending.iter().map(|prompt| prompt.correlation_id.clone()).collect();
        assert_eq!(pending, self.open_prompts, "the note names the open prompts");
    }
}
