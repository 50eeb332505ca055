//! Sessions that outlive their process: the content of their note, and how they are restored.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use agent_webkit::proto::{
    Accepted, AgentCommand, AgentEvent, Ask, AskKind, Effort, IdempotencyKey, Inbound, Memo, Note, Output,
    Presence, Session, SessionConfig, Status, TurnEnd, Wakeup, WakeupKind, WhenIdle,
};
use serde_json::{Value, json, value::RawValue};

const IDLE: Duration = Duration::from_secs(300);
const REST: Duration = Duration::from_secs(120);
const NOBODY: Presence = Presence { readers: 0, last_detached: None };

fn config() -> SessionConfig {
    SessionConfig {
        session_id: "s".into(),
        model: None,
        permission_mode: None,
        idle_timeout: IDLE,
        when_idle: WhenIdle::Release,
        hibernate_after: Some(REST),
        queue_limit: 8,
        budget_usd: None,
    }
}

/// A new id for a message.
fn new_id() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("u{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A session with a started agent.
fn session(now: Instant) -> Session {
    let mut session = Session::new(config(), now);
    session.handle_started(now);
    session
}

/// Takes all outputs: the events by name and data, and the others.
fn drain(session: &mut Session) -> (Vec<(&'static str, Value)>, Vec<Output>) {
    let (mut events, mut others) = (Vec::new(), Vec::new());
    while let Some(output) = session.poll_output() {
        match output {
            Output::Event(event) => events.push((event.name, serde_json::from_slice(&event.data).unwrap())),
            other => others.push(other),
        }
    }
    (events, others)
}

fn names(events: &[(&'static str, Value)]) -> Vec<&'static str> {
    events.iter().map(|(name, _)| *name).collect()
}

fn message(text: &str) -> Inbound {
    Inbound::parse(json!({"type": "user_message", "content": text}).to_string().as_bytes()).unwrap()
}

fn say(session: &mut Session, now: Instant, text: &str) {
    session.handle_input(now, message(text), None, new_id()).unwrap();
}

fn ask(kind: AskKind, id: &str) -> AgentEvent {
    AgentEvent::Ask(Ask {
        kind,
        correlation_id: id.into(),
        name: "Bash".into(),
        input: RawValue::from_string("{}".into()).unwrap(),
        context: Vec::new(),
        resumable: false,
    })
}

/// A permission request that another agent can ask again.
fn resumable(id: &str) -> AgentEvent {
    let AgentEvent::Ask(ask) = ask(AskKind::Permission, id) else { unreachable!() };
    let context = vec![("blocked_path".to_owned(), RawValue::from_string("\"/x\"".into()).unwrap())];
    AgentEvent::Ask(Ask { resumable: true, context, ..ask })
}

fn turn_ended() -> AgentEvent {
    AgentEvent::TurnEnded(TurnEnd {
        subtype: "success".into(),
        turn_cost_usd: Some(0.25),
        process_cost_usd: Some(0.25),
        unprompted: false,
        extra: Vec::new(),
    })
}

fn task_runs(id: &str) -> AgentEvent {
    AgentEvent::Task { task_id: id.into(), status: None, extra: Vec::new() }
}

/// Takes the session's note and encodes and decodes it.
fn stored(session: &mut Session) -> Note {
    Note::decode(&session.take_note().unwrap().encode())
}

fn memo(note: &Note) -> &Memo {
    note.memo.as_ref().expect("a session that can be restored has one")
}

#[test]
fn what_was_cut_is_ended() {
    let now = Instant::now();
    let mut before = session(now);
    say(&mut before, now, "one");
    before.handle_agent(now, turn_ended());
    say(&mut before, now, "two");
    before.handle_agent(now, ask(AskKind::Permission, "p1"));
    before.handle_agent(now, ask(AskKind::Question, "p2"));
    before.handle_agent(now, task_runs("t1"));
    drain(&mut before);
    let note = stored(&mut before);

    let mut after = Session::restore(config(), note, [], now);
    let (events, others) = drain(&mut after);
    assert_eq!(names(&events), ["prompt_resolved", "prompt_resolved", "task_update", "error", "result"]);
    assert_eq!(events[0].1, json!({"correlation_id": "p1", "kind": "permission", "outcome": "cancelled"}));
    assert_eq!(events[1].1["kind"], "question");
    assert_eq!(events[2].1, json!({"task_id": "t1", "status": "killed"}));
    assert_eq!(events[4].1["subtype"], "error_during_execution");
    assert_eq!(events[4].1["terminal_reason"], "server_restart");
    assert_eq!(events[4].1["session_cost_usd"], 0.25);
    assert!(others.is_empty(), "no agent is started for nothing: {others:?}");

    let again = stored(&mut after);
    assert_eq!(again.status, Status::Idle);
    assert!(again.pending.is_empty() && memo(&again).tasks.is_empty());
}

#[test]
fn a_prompt_that_can_be_asked_again_stays_open_and_its_answer_starts_an_agent() {
    let now = Instant::now();
    let mut before = session(now);
    say(&mut before, now, "one");
    say(&mut before, now, "two");
    before.handle_agent(now, ask(AskKind::Permission, "lost"));
    before.handle_agent(now, resumable("p1"));
    drain(&mut before);
    for suspended in [false, true] {
        if suspended {
            before.suspend();
            let (events, others) = drain(&mut before);
            assert_eq!(names(&events), ["prompt_resolved"], "the other one is lost");
            assert!(matches!(others[..], [Output::Stop, Output::Closed]));
        }
        let note = before.take_note().map(|note| Note::decode(&note.encode())).unwrap();
        assert_eq!(note.status, Status::RequiresAction);

        let queued = memo(&note).queued.clone().into_iter();
        let queued = queued.map(|uuid| (uuid, RawValue::from_string("\"two\"".into()).unwrap()));
        let mut after = Session::restore(config(), note, queued.collect::<Vec<_>>(), now);
        let (events, others) = drain(&mut after);
        let lost: &[&str] = if suspended { &[] } else { &["prompt_resolved"] };
        assert_eq!(names(&events), lost);
        assert!(others.is_empty(), "no agent is needed until it is answered: {others:?}");
        let state = stored(&mut after);
        assert_eq!(state.pending[0].correlation_id, "p1");
        assert!(state.pending[0].json.get().contains(r#""blocked_path":"/x""#));

        let allow = br#"{"type":"permission_response","correlation_id":"p1","behavior":"allow"}"#;
        after.handle_input(now, Inbound::parse(allow).unwrap(), None, new_id()).unwrap();
        let (events, others) = drain(&mut after);
        assert_eq!(names(&events), ["prompt_resolved"]);
        assert_eq!(events[0].1["outcome"], "answered");
        assert!(matches!(&others[..], [Output::Start { open_prompts, .. }] if *open_prompts == ["p1"]));
        after.handle_started(now);
        let (_, others) = drain(&mut after);
        assert!(matches!(&others[..], [Output::Command(AgentCommand::Decide { correlation_id, .. })]
            if correlation_id == "p1"));
        after.handle_agent(now, turn_ended());
        let (_, others) = drain(&mut after);
        assert!(matches!(others[..], [Output::Command(AgentCommand::User { .. })]), "the next message");
    }
}

#[test]
fn an_agent_that_asks_again_changes_nothing() {
    let now = Instant::now();
    let mut session = session(now);
    say(&mut session, now, "one");
    session.handle_agent(now, resumable("p1"));
    drain(&mut session);
    session.take_note();
    session.handle_agent(now, resumable("p1"));
    assert!(drain(&mut session).0.is_empty());
    assert!(session.take_note().is_none());
}

#[test]
fn a_turn_that_waits_without_an_agent_can_be_interrupted() {
    let now = Instant::now();
    let mut before = session(now);
    say(&mut before, now, "one");
    before.handle_agent(now, resumable("p1"));
    drain(&mut before);
    let note = stored(&mut before);
    let mut after = Session::restore(config(), note, [], now);
    after.handle_input(now, Inbound::parse(br#"{"type":"interrupt"}"#).unwrap(), None, new_id()).unwrap();
    let (events, others) = drain(&mut after);
    assert_eq!(names(&events), ["prompt_resolved", "result"]);
    assert!(others.is_empty());
    assert_eq!(after.status(), Status::Idle);
}

#[test]
fn messages_that_waited_wait_again_in_order() {
    let now = Instant::now();
    let mut before = session(now);
    for text in ["one", "two", "three"] {
        say(&mut before, now, text);
    }
    drain(&mut before);
    let note = stored(&mut before);
    let uuids = memo(&note).queued.clone();
    assert_eq!(uuids.len(), 2, "the first one was sent");

    let contents = ["\"two\"", "\"three\""].map(|text| RawValue::from_string(text.into()).unwrap());
    let queued: Vec<_> = uuids.clone().into_iter().zip(contents).collect();
    let mut after = Session::restore(config(), note, queued, now);
    let (events, others) = drain(&mut after);
    assert_eq!(names(&events), ["error", "result"], "they were told before");
    assert!(matches!(others[..], [Output::Start { .. }]));
    after.handle_started(now);
    let (_, others) = drain(&mut after);
    let [Output::Command(AgentCommand::User { content, message_uuid, .. })] = &others[..] else {
        panic!("{others:?}")
    };
    assert_eq!((content.get(), message_uuid), ("\"two\"", &uuids[0]));
    assert_eq!(memo(&stored(&mut after)).queued, uuids[1..]);
}

#[test]
fn a_key_is_remembered_in_the_next_process() {
    let now = Instant::now();
    let key = |digest: u8| Some(IdempotencyKey { key: "k".into(), digest: [digest; 32] });
    let mut before = session(now);
    before.handle_input(now, message("hi"), key(7), "first".into()).unwrap();
    drain(&mut before);
    let note = stored(&mut before);

    let mut after = Session::restore(config(), note, [], now);
    drain(&mut after);
    assert_eq!(
        after.handle_input(now, message("hi"), key(7), new_id()),
        Ok(Accepted::Repeated(Some("first".into())))
    );
    assert!(after.handle_input(now, message("ho"), key(8), new_id()).is_err());
    assert_eq!(names(&drain(&mut after).0), [""; 0]);
}

#[test]
fn clients_do_not_see_the_memo() {
    let now = Instant::now();
    let mut session = session(now);
    let key = Some(IdempotencyKey { key: "secret-key".into(), digest: [0; 32] });
    session.handle_input(now, message("hi"), key, new_id()).unwrap();
    drain(&mut session);
    let note = session.take_note().unwrap();
    let state = String::from_utf8(note.session_state(1, 2)).unwrap();
    assert!(note.encode().contains("secret-key") && !state.contains("secret-key"));
    let state: Value = serde_json::from_str(&state).unwrap();
    assert_eq!(
        state,
        json!({"status": "running", "pending": [], "session_cost_usd": 0.0, "oldest_seq": 1, "as_of_seq": 2})
    );
}

#[test]
fn a_suspended_session_ends_its_turn_but_not_itself() {
    let now = Instant::now();
    let mut session = session(now);
    say(&mut session, now, "one");
    say(&mut session, now, "two");
    session.handle_agent(now, ask(AskKind::Permission, "p1"));
    drain(&mut session);
    session.suspend();
    let (events, others) = drain(&mut session);
    assert_eq!(names(&events), ["prompt_resolved", "error", "result"]);
    assert_eq!(events[0].1["outcome"], "cancelled");
    assert!(matches!(others[..], [Output::Stop, Output::Closed]));
    let note = stored(&mut session);
    assert_eq!((note.status, note.pending.len()), (Status::Idle, 0));
    assert_eq!(memo(&note).queued.len(), 1);

    let mut after = Session::restore(config(), note, [], now);
    assert!(drain(&mut after).0.is_empty(), "everything was ended already");
}

#[test]
fn a_session_at_rest_that_nobody_watches_leaves() {
    let start = Instant::now();
    let mut session = session(start);
    drain(&mut session);
    let now = start + REST;
    session.handle_timeout(now, NOBODY);
    let (events, others) = drain(&mut session);
    assert_eq!(names(&events), ["status"]);
    assert!(matches!(others[..], [Output::Stop, Output::Release]));

    say(&mut session, now, "still here");
    assert!(matches!(drain(&mut session).1[..], [Output::Start { .. }]));
}

#[test]
fn a_watched_session_hibernates_and_leaves_once_nobody_watches() {
    let start = Instant::now();
    let mut session = session(start);
    drain(&mut session);
    session.handle_timeout(start + REST, Presence { readers: 1, last_detached: None });
    assert!(matches!(drain(&mut session).1[..], [Output::Stop]));
    let left = start + REST + Duration::from_secs(10);
    session.handle_timeout(start + IDLE, Presence { readers: 0, last_detached: Some(left) });
    assert!(drain(&mut session).1.is_empty());
    session.handle_timeout(left + IDLE, Presence { readers: 0, last_detached: Some(left) });
    assert!(matches!(drain(&mut session).1[..], [Output::Release]));
}

#[test]
fn a_dormant_session_starts_its_agent_for_the_first_message() {
    let now = Instant::now();
    let mut session = Session::dormant(config(), now);
    let (events, others) = drain(&mut session);
    assert_eq!(names(&events), ["session_ready"]);
    assert!(others.is_empty());
    say(&mut session, now, "hi");
    assert!(matches!(drain(&mut session).1[..], [Output::Start { .. }]));
}

/// A time of day, in milliseconds.
const TODAY: u64 = 1_795_943_000_000;

fn wakeup(after: Duration, kind: WakeupKind) -> AgentEvent {
    AgentEvent::WakeupSet(Wakeup {
        id: "w".into(),
        message_uuid: "scheduled".into(),
        at_ms: TODAY + u64::try_from(after.as_millis()).unwrap(),
        prompt: "look".into(),
        verbatim: true,
        kind,
    })
}

fn restored_at(note: Note, queued: Vec<(String, Box<RawValue>)>, now: Instant, after: Duration) -> Session {
    let mut session = Session::restore(config(), note, queued, now);
    session.set_time_of_day(now, TODAY + u64::try_from(after.as_millis()).unwrap());
    session
}

#[test]
fn what_no_agent_knows_any_more_is_sent_at_its_time_and_once() {
    let now = Instant::now();
    for kind in [WakeupKind::OfProcess, WakeupKind::OfSession] {
        let mut before = session(now);
        before.set_time_of_day(now, TODAY);
        before.handle_agent(now, wakeup(2 * REST, kind));
        drain(&mut before);
        let note = stored(&mut before);
        assert_eq!(memo(&note).wakeups.len(), 1);
        assert!(before.wakes_at_ms().is_some());

        let mut after = restored_at(note, Vec::new(), now, 3 * REST);
        assert!(after.poll_timeout().unwrap() <= now);
        after.handle_timeout(now, NOBODY);
        let (events, others) = drain(&mut after);
        assert_eq!(names(&events), ["status", "user_message"]);
        assert_eq!(events[0].1, json!({"status": "wakeup", "message_uuid": "scheduled"}));
        assert_eq!(events[1].1["content"], "look");
        assert!(matches!(&others[..], [Output::Start { wakeups, .. }] if wakeups.is_empty()));
        assert_eq!(after.wakes_at_ms(), None);
        after.handle_started(now);
        assert!(matches!(
            &drain(&mut after).1[..],
            [Output::Command(AgentCommand::User { verbatim: true, .. })]
        ));
        let note = stored(&mut after);
        assert!(memo(&note).wakeups.is_empty(), "the note that has the message has no wake-up any more");

        let mut again = restored_at(note, Vec::new(), now, 4 * REST);
        drain(&mut again);
        again.handle_timeout(now, NOBODY);
        assert!(drain(&mut again).0.is_empty(), "it was sent");
    }
}

#[test]
fn an_agent_is_started_for_what_it_knows_itself() {
    let now = Instant::now();
    let mut before = session(now);
    before.set_time_of_day(now, TODAY);
    before.handle_agent(now, wakeup(4 * REST, WakeupKind::OfSession));
    drain(&mut before);
    let note = stored(&mut before);
    let mut early = restored_at(note.clone(), Vec::new(), now, Duration::ZERO);
    early.handle_timeout(early.poll_timeout().unwrap(), NOBODY);
    let (_, others) = drain(&mut early);
    assert!(matches!(others[..], [Output::Release]), "it need not be in memory yet: {others:?}");

    let mut after = restored_at(note, Vec::new(), now, 3 * REST);
    let at = after.poll_timeout().unwrap();
    assert!(at < now + REST, "in time");
    after.handle_timeout(at, NOBODY);
    let (events, others) = drain(&mut after);
    assert!(events.is_empty(), "the agent begins the turn: {events:?}");
    assert!(matches!(&others[..], [Output::Start { wakeups, .. }] if wakeups.len() == 1));
    after.handle_started(at);
    after.handle_agent(at, AgentEvent::Ready);
    after.handle_agent(now + REST, AgentEvent::WakeupGone { id: "w".into() });
    after.handle_agent(now + REST, AgentEvent::TurnStarted { permission_mode: None });
    assert_eq!(after.wakes_at_ms(), None);
    assert_eq!(stored(&mut after).status, Status::Running);
}

#[test]
fn plan_mode_returns_to_the_mode_before_it() {
    let now = Instant::now();
    let changed = |mode: &str| AgentEvent::Changed {
        permission_mode: Some(mode.to_owned()),
        model: None,
        effort: Some(Effort::Of("high".to_owned())),
    };
    let mut before = session(now);
    before.handle_agent(now, changed("acceptEdits"));
    before.handle_agent(now, changed("plan"));
    drain(&mut before);
    let planning = SessionConfig { permission_mode: before.permission_mode().map(str::to_owned), ..config() };
    let mut after = Session::restore(planning, stored(&mut before), [], now);
    say(&mut after, now, "go on");
    let (_, others) = drain(&mut after);
    let [Output::Start { permission_mode, mode_before_plan, effort, .. }] = &others[..] else {
        panic!("an agent starts: {others:?}")
    };
    let [mode, before_plan, effort] = [permission_mode, mode_before_plan, effort].map(Option::as_deref);
    assert_eq!((mode, before_plan, effort), (Some("plan"), Some("acceptEdits"), Some("high")));
    after.handle_started(now);
    after.handle_agent(now, changed("acceptEdits"));
    assert_eq!(memo(&stored(&mut after)).mode_before_plan, None);
}
