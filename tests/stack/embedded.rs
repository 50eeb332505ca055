//! Sessions in Rust, alone and together with HTTP clients.

use std::time::Duration;

use agent_webkit::{
    layers::resume::{Cursor, RingConfig, RingLog},
    proto::{
        AgentCommand, AgentEvent, Decision, Delta,
        client::{Chosen, ClientMessage, ServerEvent},
    },
    service::{Limits, NewMessage, NewSession, SessionError, SessionEvent, SessionEvents, SessionHandle},
};
use http::{Method, StatusCode};
use tokio::sync::mpsc::UnboundedReceiver;

use super::{
    fake::{FakeAgents, Far},
    rig::{Rig, request},
};

const HI: &str = r#"{"type":"user_message","content":"hi"}"#;

fn adas() -> NewSession {
    NewSession::new().owner("ada")
}

async fn created(rig: &mut Rig) -> (SessionHandle, Far) {
    let session = rig.stack.sessions().create(adas()).await.unwrap();
    (session, rig.agents.recv().await.unwrap())
}

async fn next(events: &mut SessionEvents) -> SessionEvent {
    events.next().await.expect("there is an event").unwrap()
}

async fn until(events: &mut SessionEvents, name: &str) -> SessionEvent {
    loop {
        let event = next(events).await;
        if event.event.name() == name {
            return event;
        }
    }
}

/// Agrees to the next request of the session.
async fn agrees(agents: &mut Far) -> AgentCommand {
    let command = agents.hears().await;
    let (AgentCommand::SetPermissionMode { request, .. }
    | AgentCommand::SetModel { request, .. }
    | AgentCommand::StopTask { request, .. }) = command
    else {
        panic!("{command:?} asks for nothing")
    };
    agents.answers(request, Ok(())).await;
    command
}

#[tokio::test]
async fn what_is_made_and_said_in_rust_is_there_over_http() {
    let mut rig = Rig::new();
    std::fs::create_dir(rig.workspace.path().join("inner")).unwrap();
    let new = adas().cwd("inner").model("opus").permission_mode("plan").title("Mine");
    let session = rig.stack.sessions().create(new).await.unwrap();
    let mut agent = rig.agents.recv().await.unwrap();
    assert_eq!(agent.spec.session_id, session.id());
    assert_eq!(
        (agent.spec.model.as_deref(), agent.spec.permission_mode.as_deref()),
        (Some("opus"), Some("plan"))
    );
    assert!(agent.spec.cwd.ends_with("inner") && session.cwd() == agent.spec.cwd);

    let uuid = session.send("hi").await.unwrap();
    let AgentCommand::User { content, message_uuid, verbatim } = agent.hears().await else { panic!() };
    assert_eq!((content.get(), &message_uuid, verbatim), (r#""hi""#, &uuid, false));
    let mut events = rig.events(session.id(), None).await;
    assert_eq!(events.until("user_message").await.data["message_uuid"], uuid.as_str());

    let state = session.state().await.unwrap();
    let wire = rig.get(&format!("/sessions/{}", session.id())).await.json();
    assert_eq!(serde_json::to_value(&state).unwrap(), wire);
    assert_eq!((state.title.as_deref(), state.as_of_seq), (Some("Mine"), 2));
    let listed = rig.get("/sessions").await.json();
    let stored = rig.stack.sessions().list_stored(Some("ada")).await.unwrap();
    assert_eq!(serde_json::to_value(&stored).unwrap(), listed["sessions"]);
}

#[tokio::test]
async fn what_is_made_and_said_over_http_is_there_in_rust() {
    let mut rig = Rig::new();
    let (id, mut agent) = rig.session().await;
    let session = rig.stack.sessions().find(&id, Some("ada")).await.unwrap().unwrap();
    let mut events = session.events(Cursor::Oldest);
    let ready = next(&mut events).await;
    assert!(matches!(ready.event, ServerEvent::SessionReady(_)));
    assert_eq!(ready.seq, Some(1));
    let state = next(&mut events).await;
    assert!(matches!(&state.event, ServerEvent::SessionState(state) if state.status == "idle"));
    assert_eq!(state.seq, None);

    assert_eq!(rig.input(&id, HI).await.status, StatusCode::NO_CONTENT);
    let said = next(&mut events).await;
    assert!(matches!(&said.event, ServerEvent::UserMessage(said) if said.content == "hi"));
    agent.hears().await;
    agent.ends_turn().await;
    until(&mut events, "result").await;

    let mut rest = session.events(Cursor::After(2));
    assert!(matches!(next(&mut rest).await.event, ServerEvent::Result(_)));
    assert!(matches!(next(&mut rest).await.event, ServerEvent::SessionState(_)));
    rig.ask(Method::DELETE, &format!("/sessions/{id}"), "").await;
    assert!(matches!(next(&mut rest).await.event, ServerEvent::Done(_)));
    assert!(rest.next().await.is_none());
    assert_eq!(session.send("more").await, Err(SessionError::NotFound));
    assert_eq!(session.state().await, Err(SessionError::NotFound));
    let gone = session.events(Cursor::Oldest).next().await;
    assert_eq!(gone, Some(Err(SessionError::NotFound)));
    session.close().await.expect("closing it again does nothing");
}

#[tokio::test]
async fn the_first_answer_wins_whoever_gives_it() {
    let mut rig = Rig::new();
    let (session, mut agent) = created(&mut rig).await;
    let mut events = session.events(Cursor::Oldest);
    let allow = |id: &str| ClientMessage::allow(id).to_json();

    agent.asks("c1").await;
    until(&mut events, "permission_request").await;
    session.deny("c1", "no").await.unwrap();
    assert!(matches!(agent.hears().await, AgentCommand::Decide { decision: Decision::Deny { .. }, .. }));
    assert_eq!(rig.input(session.id(), allow("c1")).await.status, StatusCode::CONFLICT);

    agent.asks("c2").await;
    until(&mut events, "permission_request").await;
    assert_eq!(rig.input(session.id(), allow("c2")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(session.allow("c2").await, Err(SessionError::Settled));

    agent.asks_question("c3", &["Which?"]).await;
    until(&mut events, "ask_user_question").await;
    let chosen =
        |question: &str| vec![Chosen { question: question.into(), selected_options: vec!["Red".into()] }];
    let other = session.answer("c3", chosen("What?")).await.unwrap_err();
    assert!(matches!(&other, SessionError::Invalid(text) if text.contains("Which?")), "{other}");
    session.answer("c3", chosen("Which?")).await.unwrap();
    let resolved = until(&mut events, "prompt_resolved").await;
    assert!(matches!(resolved.event, ServerEvent::PromptResolved(end) if end.outcome == "answered"));
}

#[tokio::test]
async fn each_input_reaches_the_agent() {
    let mut rig = Rig::new();
    let (session, mut agent) = created(&mut rig).await;
    let (set, heard) = tokio::join!(session.set_permission_mode("plan"), agrees(&mut agent));
    assert!(set.is_ok() && matches!(heard, AgentCommand::SetPermissionMode { mode, .. } if mode == "plan"));
    let (set, heard) = tokio::join!(session.set_model(Some("opus")), agrees(&mut agent));
    assert!(
        set.is_ok() && matches!(heard, AgentCommand::SetModel { model: Some(model), .. } if model == "opus")
    );
    let (set, heard) = tokio::join!(session.stop_task("t1"), agrees(&mut agent));
    assert!(set.is_ok() && matches!(heard, AgentCommand::StopTask { task_id, .. } if task_id == "t1"));
    session.send(NewMessage::from("/clear").verbatim()).await.unwrap();
    assert!(matches!(agent.hears().await, AgentCommand::User { verbatim: true, .. }));
    session.interrupt().await.unwrap();
    assert!(matches!(agent.hears().await, AgentCommand::Interrupt));
    let state = session.state().await.unwrap();
    assert_eq!((state.model.as_deref(), state.permission_mode.as_deref()), (Some("opus"), Some("plan")));
}

#[tokio::test]
async fn what_the_wire_refuses_is_refused_in_rust_for_the_same_reason() {
    let mut rig = Rig::with(Limits::default().max_body(2000));
    let sessions = rig.stack.sessions().clone();
    let outside = tempfile::tempdir().unwrap();
    let outside = outside.path().to_str().unwrap();
    let long = "x".repeat(1025);
    for (new, body) in [
        (adas().cwd(outside), format!(r#"{{"cwd":"{outside}"}}"#)),
        (adas().cwd("missing"), r#"{"cwd":"missing"}"#.to_owned()),
        (adas().cwd("a\0b"), r#"{"cwd":"a\u0000b"}"#.to_owned()),
        (adas().model(&*long), format!(r#"{{"model":"{long}"}}"#)),
        (adas().title(&*long), format!(r#"{{"title":"{long}"}}"#)),
        (
            adas().permission_mode("bypassPermissions"),
            r#"{"permission_mode":"bypassPermissions"}"#.to_owned(),
        ),
        (adas().permission_mode("bogus"), r#"{"permission_mode":"bogus"}"#.to_owned()),
    ] {
        let refused = sessions.create(new).await.unwrap_err();
        let reply = rig.create(&body).await;
        assert_eq!((refused.status(), refused.to_string()), (reply.status, reply.detail()), "{body}");
        assert!(refused.status().is_client_error());
    }
    assert!(rig.agents.try_recv().is_err(), "no agent was started");

    let (session, _agent) = created(&mut rig).await;
    let mode = |mode: &str| ClientMessage::SetPermissionMode { mode: mode.into() };
    for message in [
        ClientMessage::allow("never-asked"),
        mode("bypassPermissions"),
        mode("a\0b"),
        ClientMessage::SetModel { model: Some(long.clone()) },
        ClientMessage::StopTask { task_id: long.clone() },
        ClientMessage::say("x".repeat(2000)),
    ] {
        let body = message.to_json();
        let reply = rig.input(session.id(), body.clone()).await;
        let refused = session.input(message).await.unwrap_err();
        assert_eq!((refused.status(), refused.to_string()), (reply.status, reply.detail()), "{body}");
    }
    let refused = session.send(NewMessage::from("hi").idempotency_key("two words")).await.unwrap_err();
    assert!(matches!(refused, SessionError::Invalid(text) if text.contains("Idempotency-Key")));
}

#[tokio::test]
async fn the_agents_refusal_is_told_in_its_own_words() {
    let mut rig = Rig::new();
    let (session, mut agent) = created(&mut rig).await;
    let refuse = async {
        let AgentCommand::SetModel { request, .. } = agent.hears().await else { panic!() };
        agent.answers(request, Err("no such model".into())).await;
    };
    let (set, ()) = tokio::join!(session.set_model(None), refuse);
    assert_eq!(set, Err(SessionError::Invalid("no such model".into())));
}

#[tokio::test]
async fn a_key_counts_once_over_http_and_in_rust() {
    let mut rig = Rig::new();
    let (session, mut agent) = created(&mut rig).await;
    let hi = |text: &str| session.send(NewMessage::from(text).idempotency_key("k1"));
    let first = hi("hi").await.unwrap();
    assert_eq!(hi("hi").await.unwrap(), first, "a repeat is the same message");
    let path = format!("/sessions/{}/input", session.id());
    let repeat = request("ada", Method::POST, &path, &[("idempotency-key", "k1")], HI);
    assert_eq!(rig.answer(repeat).await.status(), StatusCode::NO_CONTENT);
    assert!(matches!(hi("other").await, Err(SessionError::Unprocessable(_))));
    agent.hears().await;
    agent.ends_turn().await;
    session.send("next").await.unwrap();
    assert!(
        matches!(agent.hears().await, AgentCommand::User { content, .. } if content.get() == r#""next""#)
    );
}

#[tokio::test]
async fn a_full_queue_and_a_full_server_say_so() {
    let mut rig = Rig::with(Limits::default().queue(1).max_sessions(1));
    let (session, _agent) = created(&mut rig).await;
    for _ in 0..2 {
        session.send("hi").await.expect("one runs, one waits");
    }
    let full = session.send("hi").await.unwrap_err();
    assert_eq!(full, SessionError::Backpressure);
    assert_eq!(full.retry_after(), Some(Duration::from_secs(1)));
    session.interrupt().await.expect("the mailbox has room");
    let more = rig.stack.sessions().create(adas()).await.unwrap_err();
    assert!(matches!(more, SessionError::Unavailable { .. }), "{more}");
    assert!(rig.agents.try_recv().is_err(), "no agent was started");
}

#[tokio::test]
async fn owners_are_walls_in_rust_too() {
    let mut rig = Rig::new();
    let (session, _agent) = created(&mut rig).await;
    let sessions = rig.stack.sessions();
    for stranger in [None, Some("bob")] {
        assert!(sessions.get(session.id(), stranger).is_none());
        assert!(sessions.find(session.id(), stranger).await.unwrap().is_none());
        assert!(sessions.list(stranger).is_empty());
        assert!(sessions.list_stored(stranger).await.unwrap().is_empty());
        sessions.remove(session.id(), stranger).await.unwrap();
    }
    let path = format!("/sessions/{}", session.id());
    assert_eq!(rig.ask_as("bob", Method::GET, &path, "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(rig.get(&path).await.status, StatusCode::OK);
    assert_eq!(session.owner(), Some("ada"));
    sessions.remove(session.id(), Some("ada")).await.unwrap();
    assert_eq!(rig.get(&path).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_agent_that_cannot_be_started_is_no_session() {
    let (agents, far) = FakeAgents::new();
    let rig = Rig::build(agents.refusing("no license"), far, |builder| builder);
    let error = rig.stack.sessions().create(adas()).await.unwrap_err();
    assert!(matches!(&error, SessionError::Unavailable { message, .. } if message.contains("no license")));
    assert!(rig.stack.sessions().is_empty());
}

async fn one_token(agent: &Far, text: &str) {
    let delta = Delta::text(text);
    agent.say(AgentEvent::Delta { message_id: "m".into(), parent_tool_use_id: None, delta }).await;
}

#[tokio::test]
async fn a_reader_gets_every_event_or_an_error() {
    let small = RingLog::new(RingConfig::default().window_events(4).lag_budget(100));
    let (agents, far) = FakeAgents::new();
    let mut rig = Rig::build(agents, far, |builder| builder.log(small));
    let (session, agent) = created(&mut rig).await;
    let mut slow = session.events(Cursor::Oldest);
    next(&mut slow).await;
    let mut events = session.events(Cursor::Oldest);
    for n in 0..20 {
        one_token(&agent, &n.to_string()).await;
        until(&mut events, "message_delta").await;
    }
    let evicted = loop {
        match slow.next().await.expect("it does not end silently") {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(evicted, SessionError::Evicted(_)), "{evicted}");
    assert!(slow.next().await.is_none());
    for (cursor, wanted) in [(2, "Evicted"), (99, "Ahead")] {
        let error = session.events(Cursor::After(cursor)).next().await.unwrap().unwrap_err();
        assert_eq!(error.status(), StatusCode::PRECONDITION_FAILED);
        assert!(format!("{error:?}").starts_with(wanted), "{error:?}");
    }
}

#[tokio::test]
async fn the_shutdown_ends_readers_and_creates_nothing() {
    let mut rig = Rig::new();
    let (session, agent) = created(&mut rig).await;
    let mut events = session.events(Cursor::Oldest);
    until(&mut events, "session_state").await;
    drop(agent);
    let sessions = rig.stack.sessions().clone();
    let rest = async {
        until(&mut events, "done").await;
        assert!(events.next().await.is_none());
        drop(events);
    };
    tokio::join!(sessions.shutdown(), rest);
    let late = sessions.create(adas()).await.unwrap_err();
    assert!(late.to_string().contains("shutting down"), "{late}");
}

#[tokio::test(start_paused = true)]
async fn a_waiting_agent_is_taken() {
    let mut rig = Rig::with(Limits::default().warm(1));
    let waits = started_ahead(&mut rig.agents).await;
    let session = rig.stack.sessions().create(adas()).await.unwrap();
    assert_eq!(session.id(), waits.spec.session_id);
}

async fn started_ahead(agents: &mut UnboundedReceiver<Far>) -> Far {
    let agent = agents.recv().await.unwrap();
    // The clock is paused: this passes once every other task waits, the offer of the agent included.
    tokio::time::sleep(Duration::from_millis(1)).await;
    agent
}

#[tokio::test]
async fn a_create_that_nobody_waits_for_leaves_nothing() {
    let mut rig = Rig::new();
    let sessions = rig.stack.sessions().clone();
    {
        let mut create = Box::pin(sessions.create(adas()));
        std::future::poll_fn(|cx| {
            assert!(create.as_mut().poll(cx).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
    }
    let mut agent = rig.agents.recv().await.unwrap();
    agent.is_let_go().await;
    drop(agent);
    sessions.shutdown().await;
    assert!(sessions.is_empty());
}
