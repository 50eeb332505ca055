//! The session's state machine under arbitrary interleavings of clients, agent and time.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use agent_webkit::proto::{
    Accepted, AgentCommand, AgentEvent, AgentMessage, Ask, AskKind, Delta, IdempotencyKey, Inbound, Output,
    Presence, Refused, Session, SessionConfig, TurnEnd, WhenIdle, client::ServerEvent,
};
use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json, value::to_raw_value};

const QUEUE_LIMIT: usize = 3;
const IDLE: Duration = Duration::from_secs(300);
const REST: Duration = Duration::from_secs(120);

#[derive(Clone, Debug)]
enum Step {
    Message,
    Interrupt,
    Allow(u8),
    Deny(u8),
    AnswerQuestion(u8),
    SetModel,
    Started,
    StartFailed,
    TurnStarted,
    Delta(u8),
    Block { message: u8, tool: Option<u8> },
    Stopped(u8),
    AskPermission(u8),
    AskQuestion(u8),
    AskHook(u8),
    Withdraw(u8),
    TurnEnded { unprompted: bool },
    Task { id: u8, running: bool },
    Mcp { connected: bool },
    Answer(u8),
    Exited,
    Wait { seconds: u16, readers: u8 },
    Close,
}

fn step() -> impl Strategy<Value = Step> {
    use Step::*;
    prop_oneof![
        4 => Just(Message),
        1 => Just(Interrupt),
        2 => (0..4_u8).prop_map(Allow),
        1 => (0..4_u8).prop_map(Deny),
        1 => (0..4_u8).prop_map(AnswerQuestion),
        1 => Just(SetModel),
        3 => Just(Started),
        1 => Just(StartFailed),
        2 => Just(TurnStarted),
        2 => (0..3_u8).prop_map(Delta),
        3 => (0..3_u8, proptest::option::of(0..3_u8)).prop_map(|(message, tool)| Block { message, tool }),
        1 => (0..3_u8).prop_map(Stopped),
        3 => (0..4_u8).prop_map(AskPermission),
        1 => (0..4_u8).prop_map(AskQuestion),
        1 => (0..4_u8).prop_map(AskHook),
        1 => (0..4_u8).prop_map(Withdraw),
        4 => any::<bool>().prop_map(|unprompted| TurnEnded { unprompted }),
        1 => (0..2_u8, any::<bool>()).prop_map(|(id, running)| Task { id, running }),
        1 => any::<bool>().prop_map(|connected| Mcp { connected }),
        1 => (0..3_u8).prop_map(Answer),
        1 => Just(Exited),
        2 => (0..400_u16, 0..2_u8).prop_map(|(seconds, readers)| Wait { seconds, readers }),
        1 => Just(Close),
    ]
}

/// What an observer of the outputs knows, and what must hold of it at every moment.
#[derive(Default)]
struct Observer {
    names: Vec<&'static str>,
    open_prompts: BTreeSet<String>,
    blocks: BTreeMap<String, Vec<Value>>,
    agent_up: bool,
    start_wanted: bool,
    turn_runs: bool,
    settles_at: Option<Instant>,
    accepted: usize,
    started_turns: usize,
    asked: BTreeSet<u64>,
    session_cost: f64,
    stopped: bool,
    closed: bool,
}

impl Observer {
    fn see(&mut self, output: Output) {
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
            "message_complete" => {
                let blocks = data["message"]["content"].as_array().expect("content is an array").clone();
                let before = self.blocks.insert(text("message_id"), blocks.clone()).unwrap_or_default();
                assert!(blocks.starts_with(&before), "a block was lost or moved: {before:?} then {blocks:?}");
            }
            "error" => self.blocks.clear(),
            "result" => {
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

struct Run {
    session: Session,
    observer: Observer,
    now: Instant,
    process_cost: f64,
    last_request: u64,
    note: String,
}

impl Run {
    fn new() -> Self {
        let now = Instant::now();
        let config = SessionConfig {
            session_id: "s".into(),
            model: None,
            permission_mode: None,
            idle_timeout: IDLE,
            when_idle: WhenIdle::Close,
            hibernate_after: Some(REST),
            queue_limit: QUEUE_LIMIT,
            new_uuid: || "u".into(),
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

    fn drain(&mut self) {
        while let Some(output) = self.session.poll_output() {
            self.observer.see(output);
        }
        if let Some(note) = self.session.take_note() {
            self.note.clone_from(&note);
            let note: Value =
                serde_json::from_str(&format!("{{{note}}}")).expect("a note is members of an object");
            let pending: BTreeSet<String> = note["pending"]
                .as_array()
                .unwrap()
                .iter()
                .map(|p| p["correlation_id"].as_str().unwrap().into())
                .collect();
            assert_eq!(pending, self.observer.open_prompts, "the note tells the open prompts");
        }
    }

    fn input(&mut self, body: &Value) -> Result<Accepted, Refused> {
        let inbound = Inbound::parse(body.to_string().as_bytes()).expect("a valid body");
        let result = self.session.handle_input(self.now, inbound, None);
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

    fn take(&mut self, step: &Step) {
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
                }));
            }
            Step::Withdraw(id) => self.agent(AgentEvent::Withdrawn { correlation_id: prompt(id) }),
            Step::TurnEnded { unprompted } => {
                self.process_cost += 0.000_11;
                if self.observer.agent_up {
                    // What the gate owes is seen in the next message it lets through.
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_session_keeps_its_promises(steps in vec(step(), 0..80)) {
        let mut run = Run::new();
        for step in &steps {
            run.take(step);
        }
        run.session.close();
        run.drain();
        let observer = &run.observer;
        prop_assert!(observer.closed);
        prop_assert!(observer.open_prompts.is_empty(), "prompts without an end: {:?}", observer.open_prompts);
        prop_assert!(observer.asked.is_empty(), "inputs without an answer: {:?}", observer.asked);
        prop_assert_eq!(observer.names.last(), Some(&"done"));
        prop_assert_eq!(observer.names.iter().filter(|name| **name == "done").count(), 1);
        prop_assert_eq!(observer.names.iter().filter(|name| **name == "user_message").count(), observer.accepted);
        prop_assert_eq!(run.session.handle_input(run.now, Inbound::Interrupt, None), Err(Refused::Closed));
        prop_assert_eq!(run.session.poll_timeout(), None);
    }

    /// With an agent that ends every turn it begins, every message that was taken gets its turn.
    #[test]
    fn every_message_gets_its_turn(messages in 1..4_usize, crash_at in proptest::option::of(0..4_usize)) {
        let mut run = Run::new();
        (0..messages).for_each(|_| run.take(&Step::Message));
        let mut results = 0;
        for turn in 0..messages {
            run.take(&Step::Started);
            run.take(&Step::TurnStarted);
            run.take(&if crash_at == Some(turn) { Step::Exited } else { Step::TurnEnded { unprompted: false } });
            results += 1;
        }
        prop_assert_eq!(run.observer.names.iter().filter(|name| **name == "result").count(), results);
        prop_assert!(!run.observer.turn_runs);
    }
}

#[test]
fn an_idle_session_ends_and_a_watched_one_does_not() {
    let mut run = Run::new();
    run.take(&Step::Started);
    run.take(&Step::Wait { seconds: 120, readers: 1 });
    assert!(run.observer.stopped, "it hibernates first");
    let due = run.session.poll_timeout().expect("an idle session has a timer");
    assert_eq!(due, run.now - REST + IDLE);

    run.now = due;
    run.session.handle_timeout(due, Presence { readers: 1, last_detached: None });
    let due = run.session.poll_timeout().expect("the timer goes on while someone watches");
    assert_eq!(due, run.now + IDLE);

    let left = run.now + Duration::from_secs(10);
    run.session.handle_timeout(due, Presence { readers: 0, last_detached: Some(left) });
    let due = run.session.poll_timeout().expect("the last reader's leaving counts");
    assert_eq!(due, left + IDLE);

    run.session.handle_timeout(due, Presence { readers: 0, last_detached: Some(left) });
    run.drain();
    assert!(run.observer.closed && run.observer.stopped);
}

#[test]
fn a_running_turn_keeps_a_session_alive() {
    let mut run = Run::new();
    run.take(&Step::Started);
    run.take(&Step::Message);
    assert_eq!(run.session.poll_timeout(), None);
    run.take(&Step::TurnEnded { unprompted: false });
    assert_eq!(run.session.poll_timeout(), Some(run.now + REST));
}

#[test]
fn a_session_at_rest_hibernates_and_wakes() {
    let mut run = Run::new();
    run.take(&Step::Started);
    run.take(&Step::Wait { seconds: 120, readers: 0 });
    assert!(run.observer.stopped && !run.observer.agent_up);
    assert_eq!(run.observer.names, ["session_ready", "status"]);
    run.take(&Step::Message);
    assert!(run.observer.start_wanted);
    run.take(&Step::Started);
    assert_eq!(run.observer.started_turns, 1);
}

#[test]
fn a_repeated_key_runs_nothing_twice() {
    let mut run = Run::new();
    let message = || Inbound::parse(br#"{"type":"user_message","content":"hi"}"#).unwrap();
    let key = |digest: u8| Some(IdempotencyKey { key: "k".into(), digest: [digest; 32] });
    assert_eq!(run.session.handle_input(run.now, message(), key(1)), Ok(Accepted::Done));
    assert_eq!(run.session.handle_input(run.now, message(), key(1)), Ok(Accepted::Done));
    assert_eq!(run.session.handle_input(run.now, message(), key(2)), Err(Refused::KeyReused));
    run.drain();
    assert_eq!(run.observer.names, ["session_ready", "user_message"]);
}

#[test]
fn an_agents_end_settles_everything_and_the_next_message_starts_another() {
    let mut run = Run::new();
    for step in [
        Step::Started,
        Step::Message,
        Step::TurnStarted,
        Step::AskPermission(1),
        Step::SetModel,
        Step::Exited,
    ] {
        run.take(&step);
    }
    let tail = &run.observer.names[run.observer.names.len() - 4..];
    assert_eq!(tail, ["permission_request", "prompt_resolved", "error", "result"]);
    assert!(run.observer.asked.is_empty());
    assert!(!run.observer.start_wanted);
    run.take(&Step::Message);
    assert!(run.observer.start_wanted);
}
