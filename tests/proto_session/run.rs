//! Runs a session through steps of clients, agent and time.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use agent_webkit::proto::{
    Accepted, AgentEvent, AgentMessage, Ask, AskKind, Delta, Inbound, Presence, Refused, Session,
    SessionConfig, TurnEnd, WhenIdle,
};
use serde_json::{Value, json, value::to_raw_value};

use crate::{observer::Observer, step::Step};

const QUEUE_LIMIT: usize = 3;
pub(crate) const IDLE: Duration = Duration::from_secs(300);
pub(crate) const REST: Duration = Duration::from_secs(120);

/// A session and its observer.
pub(crate) struct Run {
    pub(crate) session: Session,
    pub(crate) observer: Observer,
    pub(crate) now: Instant,
    process_cost: f64,
    last_request: u64,
    note: String,
}

impl Run {
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        let config = SessionConfig {
            session_id: "s".into(),
            model: None,
            permission_mode: None,
            idle_timeout: IDLE,
            when_idle: WhenIdle::Close,
            hibernate_after: Some(REST),
            queue_limit: QUEUE_LIMIT,
            budget_usd: None,
        };
        let mut run = Self {
            session: Session::new(config, now),
            observer: Observer { start_wanted: true, ..Observer::default() },
            now,
            process_cost: 0.0,
            last_request: 0,
            note: String::new(),
        };
        run.drain();
        run
    }

    pub(crate) fn drain(&mut self) {
        while let Some(output) = self.session.poll_output() {
            self.observer.see(output);
        }
        if let Some(note) = self.session.take_note() {
            self.note = note.encode();
            let pending: BTreeSet<String> =
                note.pending.iter().map(|prompt| prompt.correlation_id.clone()).collect();
            assert_eq!(pending, self.observer.open_prompts, "the note tells the open prompts");
        }
    }

    fn input(&mut self, body: &Value) -> Result<Accepted, Refused> {
        let inbound = Inbound::parse(body.to_string().as_bytes()).expect("a valid body");
        let result = self.session.handle_input(self.now, inbound, None, "u".into());
        if let Ok(Accepted::Asked(request)) = result {
            self.observer.asked.insert(request);
            self.last_request = request;
        }
        result
    }

    fn agent(&mut self, event: AgentEvent) {
        if self.observer.agent_up {
            self.session.handle_agent(self.now, event);
        }
    }

    pub(crate) fn take(&mut self, step: &Step) {
        let prompt = |id: u8| format!("p{id}");
        match *step {
            Step::Message => {
                let waiting = self.observer.accepted - self.observer.started_turns;
                match self.input(&json!({"type": "user_message", "content": "hi"})) {
                    Ok(_) => self.observer.accepted += 1,
                    Err(Refused::Backpressure) => {
                        assert!(waiting >= QUEUE_LIMIT, "refused with {waiting} waiting");
                    }
                    Err(refused) => assert_eq!(refused, Refused::Closed),
                }
            }
            Step::Interrupt => drop(self.input(&json!({"type": "interrupt"}))),
            Step::Allow(id) | Step::Deny(id) => {
                let behavior = if matches!(step, Step::Allow(_)) { "allow" } else { "deny" };
                let open = self.observer.open_prompts.contains(&prompt(id));
                let body = json!({"type": "permission_response", "correlation_id": prompt(id), "behavior": behavior});
                assert_eq!(self.input(&body).is_ok(), open, "an answer is taken iff the prompt is open");
            }
            Step::AnswerQuestion(id) => {
                let body =
                    json!({"type": "question_response", "correlation_id": prompt(id), "answers": {"q": "a"}});
                if self.input(&body).is_ok() {
                    assert!(self.observer.open_prompts.contains(&prompt(id)));
                }
            }
            Step::SetModel => {
                let full = self.observer.asked.len() >= QUEUE_LIMIT;
                let taken = self.input(&json!({"type": "set_model", "model": "m"}));
                assert!(
                    matches!(taken, Ok(_) | Err(Refused::Closed)) != full || self.observer.closed,
                    "{taken:?}"
                );
            }
            Step::Started | Step::StartFailed => {
                if std::mem::take(&mut self.observer.start_wanted) {
                    if matches!(step, Step::Started) {
                        self.observer.agent_up = true;
                        self.session.handle_started(self.now);
                    } else {
                        self.observer.turn_runs = false;
                        self.session.handle_start_failed(self.now, "no");
                    }
                }
            }
            Step::TurnStarted => {
                if self.observer.agent_up && !self.observer.closed {
                    self.observer.turn_runs = true;
                }
                self.agent(AgentEvent::TurnStarted { permission_mode: None });
            }
            Step::Delta(id) => self.agent(AgentEvent::Delta {
                message_id: format!("m{id}"),
                parent_tool_use_id: None,
                delta: Delta::text("x\n"),
            }),
            Step::Block { message, tool } => {
                let block = match tool {
                    Some(id) => {
                        json!({"type": "tool_use", "id": format!("t{id}"), "name": "Bash", "input": {}})
                    }
                    None => json!({"type": "text", "text": "x"}),
                };
                self.agent(AgentEvent::Message(AgentMessage {
                    id: format!("m{message}"),
                    parent_tool_use_id: None,
                    blocks: vec![to_raw_value(&block).unwrap()],
                    extra: Vec::new(),
                }));
            }
            Step::Stopped(id) => self.agent(AgentEvent::MessageStopped {
                message_id: format!("m{id}"),
                stop_reason: Some("end_turn".into()),
            }),
            Step::AskPermission(id) | Step::AskQuestion(id) | Step::AskHook(id) => {
                let kind = match step {
                    Step::AskPermission(_) => AskKind::Permission,
                    Step::AskQuestion(_) => AskKind::Question,
                    _ => AskKind::Hook,
                };
                self.agent(AgentEvent::Ask(Ask {
                    kind,
                    correlation_id: prompt(id),
                    name: "Tool".into(),
                    input: to_raw_value(&json!({"questions": []})).unwrap(),
                    context: Vec::new(),
                    resumable: false,
                }));
            }
            Step::Withdraw(id) => self.agent(AgentEvent::Withdrawn { correlation_id: prompt(id) }),
            Step::TurnEnded { unprompted } => {
                self.process_cost += 0.000_11;
                if self.observer.agent_up {
                    // Whether the turn gate is right shows in the next message that it sends.
                    self.observer.turn_runs = false;
                }
                self.agent(AgentEvent::TurnEnded(TurnEnd {
                    subtype: "success".into(),
                    turn_cost_usd: None,
                    process_cost_usd: Some(self.process_cost),
                    unprompted,
                    extra: Vec::new(),
                }));
            }
            Step::Task { id, running } => self.agent(AgentEvent::Task {
                task_id: format!("k{id}"),
                status: Some(if running { "running" } else { "completed" }.into()),
                extra: Vec::new(),
            }),
            Step::Mcp { connected } => self.agent(AgentEvent::McpStatus {
                server_name: "srv".into(),
                status: if connected { "connected" } else { "failed" }.into(),
            }),
            Step::Answer(back) => {
                let request = self.last_request.saturating_sub(u64::from(back));
                self.agent(AgentEvent::Answer { request, outcome: Ok(()) });
            }
            Step::Exited => {
                if std::mem::take(&mut self.observer.agent_up) {
                    self.observer.turn_runs = false;
                    self.process_cost = 0.0;
                    self.session.handle_agent(self.now, AgentEvent::Exited { message: "gone".into() });
                }
            }
            Step::Wait { seconds, readers } => {
                self.now += Duration::from_secs(u64::from(seconds));
                if self.session.poll_timeout().is_some_and(|at| at <= self.now) {
                    let presence = Presence { readers: readers.into(), last_detached: None };
                    self.session.handle_timeout(self.now, presence);
                }
            }
            Step::Close => self.session.close(),
        }
        self.drain();
    }
}
