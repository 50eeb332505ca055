//! The stream through the whole stack: replay, state, live events.

use std::time::Duration;

use agent_webkit::{
    layers::resume::{RingConfig, RingLog},
    proto::{AgentEvent, Delta},
    service::{AgentService, Limits, Policy},
};
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use super::{
    fake::{FakeAgents, Far},
    rig::{Rig, request},
};

async fn says(agent: &Far, words: std::ops::Range<usize>) {
    for word in words {
        agent
            .say(AgentEvent::Delta {
                message_id: "m".into(),
                parent_tool_use_id: None,
                delta: Delta::text(&word.to_string()),
            })
            .await;
    }
}

#[tokio::test]
async fn every_place_can_be_come_back_to() {
    let mut rig = Rig::new();
    let (id, agent) = rig.session().await;
    let mut live = rig.events(&id, None).await;
    says(&agent, 0..20).await;
    let mut all = vec![live.next().await.unwrap()];
    assert_eq!(live.next().await.unwrap().name, "session_state");
    while all.len() < 21 {
        all.push(live.next().await.unwrap());
    }
    assert!(all.iter().map(|event| event.id).eq((1..=21).map(Some)));

    for after in 0..=21u64 {
        let mut events = rig.events(&id, Some(after)).await;
        for expected in &all[after as usize..] {
            assert_eq!(events.next().await.as_ref(), Some(expected), "after {after}");
        }
        let state = events.next().await.unwrap();
        assert_eq!((state.name.as_str(), state.id), ("session_state", None));
        assert_eq!(state.data["as_of_seq"], 21);
    }
    says(&agent, 20..21).await;
    assert_eq!(live.next().await.unwrap().id, Some(22), "the first reader goes on");
}

#[tokio::test]
async fn what_cannot_be_resumed_is_said_so() {
    let (agents, far) = FakeAgents::new();
    let log = RingLog::new(RingConfig::default().window_events(5));
    let mut rig = Rig::build(agents, far, |builder| builder.log(log));
    let (id, agent) = rig.session().await;
    let mut live = rig.events(&id, None).await;
    says(&agent, 0..9).await;
    while live.next().await.unwrap().id != Some(10) {}

    let path = format!("/sessions/{id}/stream");
    let status = async |path: &str, headers: &[(&str, &str)]| {
        rig.answer(request("ada", Method::GET, path, headers, "")).await.status()
    };
    for (last, expected) in [
        ("4", StatusCode::PRECONDITION_FAILED),
        ("5", StatusCode::OK),
        ("10", StatusCode::OK),
        ("11", StatusCode::PRECONDITION_FAILED),
        ("x", StatusCode::BAD_REQUEST),
        ("-1", StatusCode::BAD_REQUEST),
        ("", StatusCode::OK),
    ] {
        assert_eq!(status(&path, &[("last-event-id", last)]).await, expected, "{last:?}");
        assert_eq!(status(&format!("{path}?last_event_id={last}"), &[]).await, expected, "?{last}");
    }
    assert_eq!(status(&format!("{path}?last_event_id=11"), &[("last-event-id", "10")]).await, StatusCode::OK);
}

#[tokio::test]
async fn an_open_prompt_is_found_by_whoever_comes_late() {
    let (agents, far) = FakeAgents::new();
    let log = RingLog::new(RingConfig::default().window_events(3));
    let mut rig = Rig::build(agents, far, |builder| builder.log(log));
    let (id, agent) = rig.session().await;
    let mut live = rig.events(&id, None).await;
    agent.asks("c1").await;
    says(&agent, 0..10).await;
    while live.next().await.unwrap().id != Some(12) {}

    let state = rig.events(&id, None).await.until("session_state").await;
    assert_eq!(state.data["pending"][0]["correlation_id"], "c1", "its own event left the window");
    assert_eq!((&state.data["oldest_seq"], &state.data["as_of_seq"]), (&10.into(), &12.into()));
}

/// Without any layer, the service answers the stream route in the same way.
#[tokio::test]
async fn the_service_alone_resumes_too() {
    let (agents, mut far) = FakeAgents::new();
    let log = RingLog::new(RingConfig::default().window_events(5));
    let workspace = tempfile::tempdir().unwrap();
    let limits = Limits::default().keepalive(Duration::from_millis(20));
    let service = AgentService::new(agents, log, Policy::new([workspace.path()]).unwrap(), limits);
    let ask = async |method: Method, path: &str, headers: &[(&str, &str)]| {
        service.clone().oneshot(request("nobody", method, path, headers, "")).await.unwrap()
    };
    let made = ask(Method::POST, "/sessions", &[]).await.into_body().collect().await.unwrap().to_bytes();
    let made: Value = serde_json::from_slice(&made).unwrap();
    let path = format!("/sessions/{}/stream", made["session_id"].as_str().unwrap());
    let agent = far.recv().await.unwrap();
    let mut live = ask(Method::GET, &path, &[]).await.into_body();
    says(&agent, 0..9).await;
    let mut seen = String::new();
    while !seen.contains("id: 10\n") || !seen.contains(": keepalive") {
        let frame = live.frame().await.unwrap().unwrap();
        seen.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
    }

    for (last, expected) in [
        ("4", StatusCode::PRECONDITION_FAILED),
        ("5", StatusCode::OK),
        ("10", StatusCode::OK),
        ("11", StatusCode::PRECONDITION_FAILED),
        ("x", StatusCode::BAD_REQUEST),
        ("", StatusCode::OK),
    ] {
        for method in [Method::GET, Method::HEAD] {
            let answer = ask(method.clone(), &path, &[("last-event-id", last)]).await;
            assert_eq!(answer.status(), expected, "{method} {last:?}");
        }
        let answer = ask(Method::GET, &format!("{path}?last_event_id={last}"), &[]).await;
        assert_eq!(answer.status(), expected, "?{last}");
    }
    let mut resumed = ask(Method::GET, &path, &[("last-event-id", "9")]).await.into_body();
    let first = resumed.frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(first.starts_with(b"id: 10\n"), "{first:?}");
}

#[tokio::test(start_paused = true)]
async fn a_quiet_stream_lives_on() {
    let mut rig = Rig::new();
    let (id, agent) = rig.session().await;
    let mut live = rig.events(&id, None).await;
    live.until("session_state").await;
    for _ in 0..5 {
        assert_eq!(live.next().await.unwrap().name, ": keepalive");
    }
    says(&agent, 0..1).await;
    assert_eq!(live.next().await.unwrap().id, Some(2));
}
