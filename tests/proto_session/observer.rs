//! An observer of the outputs, which checks the invariants of the session after each of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use agent_webkit::proto::{AgentCommand, Output, client::ServerEvent};
use serde_json::Value;

#[derive(Default)]
pub(crate) struct Observer {
    pub(crate) names: Vec<&'static str>,
    pub(crate) open_prompts: BTreeSet<String>,
    pub(crate) blocks: BTreeMap<String, Vec<Value>>,
    /// Messages with pieces after their last completion.
    pub(crate) half_written: BTreeSet<String>,
    pub(crate) agent_up: bool,
    pub(crate) start_wanted: bool,
    pub(crate) turn_runs: bool,
    pub(crate) settles_at: Option<Instant>,
    pub(crate) accepted: usize,
    pub(crate) started_turns: usize,
    pub(crate) asked: BTreeSet<u64>,
    pub(crate) session_cost: f64,
    pub(crate) stopped: bool,
    pub(crate) closed: bool,
}

impl Observer {
    pub(crate) fn see(&mut self, output: Output) {
        assert!(!self.closed, "nothing comes after Closed, but {output:?}");
        match output {
            Output::Event(event) => {
                let data: Value = serde_json::from_slice(&event.data).expect("an event's data is JSON");
                assert!(!event.data.contains(&b'\n'), "an event's data is one line");
                let typed = ServerEvent::parse(event.name, &data.to_string()).expect("clients can read it");
                assert_eq!(
                    (typed.name(), typed.data()),
                    (event.name, data.clone()),
                    "a client reads all of it"
                );
                assert!(!matches!(typed, ServerEvent::Other { .. }), "clients know it");
                self.see_event(event.name, &data);
            }
            Output::Command(command) => {
                assert!(self.agent_up, "a command without an agent: {command:?}");
                if let AgentCommand::User { .. } = command {
                    assert!(!self.turn_runs, "a message was sent while a turn runs");
                    self.turn_runs = true;
                    self.settles_at = None;
                    self.started_turns += 1;
                }
            }
            Output::Start { .. } => {
                assert!(!self.agent_up && !self.start_wanted, "two agents at once");
                self.start_wanted = true;
            }
            Output::Stop => {
                assert!(
                    !self.turn_runs || self.names.last() == Some(&"done"),
                    "an agent was let go in its turn"
                );
                self.agent_up = false;
                self.start_wanted = false;
                self.stopped = true;
            }
            Output::Answer { request, .. } => {
                assert!(self.asked.remove(&request), "answered twice, or never asked");
            }
            Output::Closed => self.closed = true,
            other => panic!("unknown output {other:?}"),
        }
    }

    fn see_event(&mut self, name: &'static str, data: &Value) {
        assert_ne!(self.names.last(), Some(&"done"), "{name} after done");
        assert_eq!(
            self.names.is_empty(),
            name == "session_ready",
            "session_ready is the first event and comes once"
        );
        self.names.push(name);
        let text = |key: &str| {
            data[key].as_str().unwrap_or_else(|| panic!("{name} has no {key}: {data}")).to_owned()
        };
        match name {
            "permission_request" | "ask_user_question" | "hook_decision_request" => {
                assert!(self.open_prompts.insert(text("correlation_id")), "asked twice without an end");
            }
            "prompt_resolved" => {
                assert!(self.open_prompts.remove(&text("correlation_id")), "settled twice, or never asked");
                assert!(["answered", "cancelled", "session_closed"].contains(&text("outcome").as_str()));
            }
            "message_delta" => {
                self.half_written.insert(text("message_id"));
                assert_eq!(self.half_written.len(), 1, "the agent writes one message at a time");
            }
            "message_complete" => {
                self.half_written.remove(&text("message_id"));
                let blocks = data["message"]["content"].as_array().expect("content is an array").clone();
                let before = self.blocks.insert(text("message_id"), blocks.clone()).unwrap_or_default();
                assert!(blocks.starts_with(&before), "a block was lost or moved: {before:?} then {blocks:?}");
            }
            "error" => self.blocks.clear(),
            "done" => assert!(self.half_written.is_empty(), "half-written for ever: {:?}", self.half_written),
            "result" => {
                assert!(self.half_written.is_empty(), "half-written for ever: {:?}", self.half_written);
                self.blocks.clear();
                self.session_cost += data["total_cost_usd"].as_f64().unwrap_or_default();
                let told = data["session_cost_usd"].as_f64().expect("session_cost_usd is a number");
                assert!(
                    (told - self.session_cost).abs() < 1e-9,
                    "the sum of the turns is the session's cost"
                );
            }
            _ => {}
        }
    }
}
