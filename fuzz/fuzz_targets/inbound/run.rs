//! Runs a script's steps on a session and observes the outputs.

use std::time::{Duration, Instant};

use agent_webkit::proto::{
    Accepted, AgentEvent, AgentMessage, Ask, AskKind, Delta, Extra, Inbound, Note, Presence, Session,
    SessionConfig, WhenIdle, TurnEnd,
};
use serde_json::value::{RawValue, to_raw_value};

use crate::observer::Observer;

pub(crate) struct Run {
    session: Session,
    observer: Observer,
    now: Instant,
    process_cost: f64,
    /// The newest note.
    note: String,
}

impl Run {
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        let mut run = Self {
            session: Session::new(config(), now),
            observer: Observer::new(),
            now,
            process_cost: 0.0,
            note: String::new(),
        };
        run.drain();
        run
    }

    /// Runs a step. A step that begins with `{` is a client's body. In any other step the first byte is the
    /// kind of event, the second one an id, and the rest is JSON or text.
    pub(crate) fn take(&mut self, step: &[u8]) {
        match step {
            [b'{', ..] => self.input(step),
            [what, of, payload @ ..] => self.happen(*what, *of, payload),
            [what] => self.happen(*what, b'0', b""),
            [] => {}
        }
        self.drain();
    }

    pub(crate) fn end(mut self) {
        self.session.close();
        self.drain();
        assert!(self.observer.closed, "a closed session says so");
        assert!(self.observer.open_prompts.is_empty(), "prompts without an end: {:?}", self.observer);
        assert!(self.observer.asked.is_empty(), "inputs without an answer: {:?}", self.observer);
        assert!(self.session.poll_timeout().is_none());
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll_output() {
            self.observer.see(output);
        }
        if let Some(note) = self.session.take_note() {
            self.observer.see_note(&note);
            self.note = note.encode();
        }
    }

    fn input(&mut self, body: &[u8]) {
        let Ok(inbound) = Inbound::parse(body) else { return };
        if let Ok(Accepted::Asked(request)) = self.session.handle_input(self.now, inbound, None, "u".into()) {
            self.observer.asked.insert(request);
        }
    }

    fn happen(&mut self, what: u8, of: u8, payload: &[u8]) {
        match what {
            b'+' if std::mem::take(&mut self.observer.start_wanted) => {
                self.observer.agent_up = true;
                self.session.handle_started(self.now);
            }
            b'-' if std::mem::take(&mut self.observer.start_wanted) => {
                self.observer.turn_runs = false;
                self.session.handle_start_failed(self.now, &text(payload));
            }
            b'.' => {
                self.now += Duration::from_secs(u64::from(of));
                if self.session.poll_timeout().is_some_and(|due| due <= self.now) {
                    let presence = Presence { readers: payload.len(), last_detached: None };
                    self.session.handle_timeout(self.now, presence);
                }
            }
            b'!' => self.session.close(),
            b'*' if !self.observer.closed => {
                self.session = Session::restore(config(), Note::decode(&self.note), [], self.now);
                self.observer.see_process_lost();
                self.process_cost = 0.0;
            }
            _ if self.observer.agent_up => {
                if let Some(event) = self.agent_event(what, of, payload) {
                    self.session.handle_agent(self.now, event);
                }
            }
            _ => {}
        }
    }

    /// Builds an agent event and updates the observer.
    fn agent_event(&mut self, what: u8, of: u8, payload: &[u8]) -> Option<AgentEvent> {
        let id = char::from(of).to_string();
        Some(match what {
            b'b' => {
                self.observer.turn_runs = !self.observer.closed;
                AgentEvent::TurnStarted { permission_mode: (!payload.is_empty()).then(|| text(payload)) }
            }
            b'd' => AgentEvent::Delta {
                message_id: id,
                parent_tool_use_id: None,
                delta: Delta::Text(json(payload)),
            },
            b'm' => AgentEvent::Message(AgentMessage {
                id,
                parent_tool_use_id: None,
                blocks: vec![json(payload)],
                extra: Vec::new(),
            }),
            b's' => AgentEvent::MessageStopped { message_id: id, stop_reason: Some(text(payload)) },
            b'r' => AgentEvent::ToolResult {
                tool_use_id: id,
                parent_tool_use_id: Some(text(payload)),
                output: json(payload),
                is_error: false,
            },
            b'p' => ask(AskKind::Permission, id, payload),
            b'q' => ask(AskKind::Question, id, payload),
            b'h' => ask(AskKind::Hook, id, payload),
            b'w' => AgentEvent::Withdrawn { correlation_id: id },
            b'e' | b'u' => {
                self.process_cost += 0.25;
                self.observer.turn_runs = false;
                AgentEvent::TurnEnded(TurnEnd {
                    subtype: text(payload),
                    turn_cost_usd: None,
                    process_cost_usd: Some(self.process_cost),
                    unprompted: what == b'u',
                    extra: members(payload),
                })
            }
            b'c' => AgentEvent::McpStatus { server_name: id, status: text(payload) },
            b't' => {
                let status = (!payload.is_empty()).then(|| text(payload));
                AgentEvent::Task { task_id: id, status, extra: Vec::new() }
            }
            b'o' => AgentEvent::Status { status: id, extra: members(payload) },
            b'a' => AgentEvent::Answer {
                request: u64::from(of.wrapping_sub(b'0')),
                outcome: if payload.is_empty() { Ok(()) } else { Err(text(payload)) },
            },
            b'x' => {
                self.observer.agent_up = false;
                self.observer.turn_runs = false;
                self.process_cost = 0.0;
                AgentEvent::Exited { message: text(payload) }
            }
            _ => return None,
        })
    }
}

fn config() -> SessionConfig {
    SessionConfig {
        session_id: "s".into(),
        model: None,
        permission_mode: None,
        idle_timeout: Duration::from_secs(300),
        when_idle: WhenIdle::Release,
        hibernate_after: Some(Duration::from_secs(120)),
        queue_limit: 3,
    }
}

fn ask(kind: AskKind, correlation_id: String, payload: &[u8]) -> AgentEvent {
    let input = json(payload);
    AgentEvent::Ask(Ask { kind, correlation_id, name: text(payload), input, context: Vec::new(), resumable: false })
}

fn text(payload: &[u8]) -> String {
    String::from_utf8_lossy(payload).into_owned()
}

/// Returns the payload as it is if it is JSON, and otherwise as a JSON string.
fn json(payload: &[u8]) -> Box<RawValue> {
    serde_json::from_slice(payload)
        .unwrap_or_else(|_| to_raw_value(&text(payload)).expect("a string is JSON"))
}

/// Returns one member with a name that is not in the protocol.
fn members(payload: &[u8]) -> Extra {
    vec![("payload".into(), json(payload))]
}
