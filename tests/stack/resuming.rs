//! The stream through the whole stack: replay, state, live.

use agent_webkit::{
    layers::resume::{RingConfig, RingLog},
    proto::{AgentEvent, Delta},
};
use http::{Method, StatusCode};

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
