//! The metrics of sessions, agents, readers and clients.

use std::time::Duration;

use agent_webkit::{
    layers::resume::{RingConfig, RingLog},
    proto::{AgentEvent, Delta},
    service::Limits,
};
use http::{Method, StatusCode};

use super::{
    counted::Counted,
    fake::{FakeAgents, Far},
    rig::{Rig, request},
};

const HI: &str = r#"{"type":"user_message","content":"hi"}"#;

fn answer(correlation_id: &str) -> String {
    format!(r#"{{"type":"permission_response","correlation_id":"{correlation_id}","behavior":"allow"}}"#)
}

async fn says(agent: &Far, text: &str) {
    let delta = Delta::text(text);
    agent.say(AgentEvent::Delta { message_id: "m".into(), parent_tool_use_id: None, delta }).await;
}

#[tokio::test]
async fn sessions_by_how_they_begin_and_end() {
    let mut counted = Counted::new();
    let mut rig = Rig::with(Limits::default().max_sessions(2));
    let (first, agent) = rig.session().await;
    let (_second, _agent) = rig.session().await;
    assert_eq!(rig.create("").await.status, StatusCode::SERVICE_UNAVAILABLE);
    counted.check([
        ("sessions_live", 2.0),
        ("sessions_started_total{how=created}", 2.0),
        ("sessions_refused_total", 1.0),
        ("agents_running", 2.0),
    ]);
    rig.ask(Method::DELETE, &format!("/sessions/{first}"), "").await;
    counted.check([("sessions_live", 1.0), ("sessions_ended_total{reason=closed}", 1.0)]);
    drop((agent, _agent));
    rig.stack.sessions().shutdown().await;
    counted.check([
        ("sessions_live", 0.0),
        ("sessions_ended_total{reason=closed}", 2.0),
        ("agents_running", 0.0),
    ]);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_nobody_uses_has_ended_idle() {
    let mut counted = Counted::new();
    let mut rig = Rig::with(Limits::default().idle_timeout(Duration::from_secs(5)));
    let (id, agent) = rig.session().await;
    let mailbox_closed = async {
        while rig.stack.sessions().get(&id, Some("ada")).is_some() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    mailbox_closed.await;
    drop(agent);
    counted.check([("sessions_live", 0.0), ("sessions_ended_total{reason=idle}", 1.0)]);
}

#[tokio::test]
async fn turns_by_outcome_and_the_messages_that_wait_for_them() {
    let mut counted = Counted::new();
    let mut rig = Rig::new();
    let (id, mut agent) = rig.session().await;
    let mut events = rig.events(&id, None).await;
    for _ in 0..3 {
        assert_eq!(rig.input(&id, HI).await.status, StatusCode::NO_CONTENT);
    }
    counted.check([("queued_messages", 2.0), ("turns_total{outcome=success}", 0.0)]);
    agent.ends_turn().await;
    events.until("result").await;
    rig.input(&id, r#"{"type":"interrupt"}"#).await;
    for _ in 0..3 {
        agent.hears().await;
    }
    counted.check([("queued_messages", 1.0)]);
    agent.ends_turn().await;
    events.until("result").await;
    agent.hears().await;
    agent.say(AgentEvent::Exited { message: "gone".into() }).await;
    events.until("result").await;
    counted.check([
        ("queued_messages", 0.0),
        ("turns_total{outcome=success}", 1.0),
        ("turns_total{outcome=interrupted}", 1.0),
        ("turns_total{outcome=agent_lost}", 1.0),
        ("turn_duration_seconds{outcome=success}", 1.0),
        ("turn_duration_seconds{outcome=interrupted}", 1.0),
        ("turn_duration_seconds{outcome=agent_lost}", 1.0),
        ("agents_lost_total", 1.0),
    ]);
}

#[tokio::test]
async fn agents_by_their_starts() {
    let mut counted = Counted::new();
    let mut rig = Rig::new();
    let (id, agent) = rig.session().await;
    let mut events = rig.events(&id, None).await;
    agent.say(AgentEvent::Ready).await;
    agent.say(AgentEvent::Exited { message: "gone".into() }).await;
    events.until("error").await;
    drop(agent);
    rig.input(&id, HI).await;
    let _again = rig.agents.recv().await.unwrap();

    let (agents, far) = FakeAgents::new();
    let broken = Rig::build(agents.refusing("no"), far, |builder| builder);
    assert_eq!(broken.create("").await.status, StatusCode::SERVICE_UNAVAILABLE);
    counted.check([
        ("agent_starts_total{outcome=ok,start=new}", 1.0),
        ("agent_starts_total{outcome=ok,start=resumed}", 1.0),
        ("agent_starts_total{outcome=failed,start=new}", 1.0),
        ("agent_start_duration_seconds{outcome=ok}", 2.0),
        ("agent_start_duration_seconds{outcome=failed}", 1.0),
        ("agent_ready_duration_seconds", 1.0),
        ("agents_lost_total", 1.0),
        ("agents_running", 1.0),
    ]);
}

#[tokio::test]
async fn prompts_while_they_are_open_and_how_they_end() {
    let mut counted = Counted::new();
    let mut rig = Rig::new();
    let (id, agent) = rig.session().await;
    let mut events = rig.events(&id, None).await;
    for prompt in ["c1", "c2", "c3"] {
        agent.asks(prompt).await;
        events.until("permission_request").await;
    }
    counted.check([("prompts_open", 3.0)]);
    rig.input(&id, answer("c1")).await;
    agent.say(AgentEvent::Withdrawn { correlation_id: "c2".into() }).await;
    events.until("prompt_resolved").await;
    events.until("prompt_resolved").await;
    counted.check([("prompts_open", 1.0)]);
    rig.ask(Method::DELETE, &format!("/sessions/{id}"), "").await;
    counted.check([
        ("prompts_open", 0.0),
        ("prompt_wait_seconds{kind=permission,outcome=answered}", 1.0),
        ("prompt_wait_seconds{kind=permission,outcome=cancelled}", 1.0),
        ("prompt_wait_seconds{kind=permission,outcome=session_closed}", 1.0),
    ]);
}

#[tokio::test]
async fn readers_and_what_they_are_given() {
    let mut counted = Counted::new();
    let (agents, far) = FakeAgents::new();
    let log = RingLog::new(RingConfig::default().window_events(5).lag_budget(64));
    let mut rig = Rig::build(agents, far, |builder| builder.log(log));
    let (id, agent) = rig.session().await;
    let mut live = rig.events(&id, None).await;
    let mut stalled = rig.events(&id, Some(1)).await;
    for word in 0..9 {
        says(&agent, &word.to_string()).await;
        while live.next().await.unwrap().id != Some(word + 2) {}
    }
    assert_eq!(stalled.until("error").await.data["code"], "evicted");
    counted.check([("readers", 1.0), ("frames_sent_total", 10.0), ("events_total", 10.0)]);
    assert!(counted.get("sent_bytes_total") > 500.0);
    assert!(counted.get("log_append_duration_seconds") >= 2.0);

    let path = format!("/sessions/{id}/stream");
    for last in ["5", "4", "11", "x"] {
        rig.answer(request("ada", Method::GET, &path, &[("last-event-id", last)], "")).await;
        rig.answer(request("ada", Method::HEAD, &path, &[("last-event-id", last)], "")).await;
    }
    drop((live, stalled));
    counted.check([
        ("readers", 0.0),
        ("readers_evicted_total", 1.0),
        ("resumes_total{outcome=fresh}", 1.0),
        ("resumes_total{outcome=resumed}", 2.0),
        ("resumes_total{outcome=gone}", 1.0),
        ("resumes_total{outcome=ahead}", 1.0),
        ("resumes_total{outcome=malformed}", 1.0),
    ]);
}

#[tokio::test]
async fn inputs_by_what_they_ask_and_what_becomes_of_them() {
    let mut counted = Counted::new();
    let mut rig = Rig::with(Limits::default().queue(1));
    let (id, _agent) = rig.session().await;
    for _ in 0..3 {
        rig.input(&id, HI).await;
    }
    rig.input(&id, answer("never-asked")).await;
    rig.input(&id, r#"{"type":"interrupt"}"#).await;
    rig.input(&id, r#"{"type":"nonsense"}"#).await;
    rig.input(&id, r#"{"type":"set_permission_mode","mode":"bypassPermissions"}"#).await;
    counted.check([
        ("inputs_total{type=user_message,outcome=accepted}", 2.0),
        ("inputs_total{type=user_message,outcome=backpressure}", 1.0),
        ("inputs_total{type=permission_response,outcome=settled}", 1.0),
        ("inputs_total{type=interrupt,outcome=accepted}", 1.0),
        ("inputs_total{type=none,outcome=refused}", 2.0),
    ]);
}

#[tokio::test]
async fn no_label_holds_a_word_of_a_client() {
    let mut counted = Counted::new();
    let mut rig = Rig::new();
    let (id, agent) = rig.session().await;
    let mut events = rig.events(&id, None).await;
    agent.asks("c1-of-mine").await;
    events.until("permission_request").await;
    rig.input(&id, answer("c1-of-mine")).await;
    rig.input(&id, r#"{"type":"made-up"}"#).await;
    for series in counted.series() {
        for word in [id.as_str(), "c1-of-mine", "made-up", "ada"] {
            assert!(!series.contains(word), "{series}");
        }
    }
}
