//! The limit on sessions, and agents that cannot be started.

use std::time::Duration;

use agent_webkit::service::Limits;
use http::{Method, StatusCode};
use tower::ServiceExt;

use super::{
    fake::FakeAgents,
    rig::{Reply, Rig, request},
};

#[tokio::test]
async fn a_full_server_says_so() {
    let mut rig = Rig::with(Limits::default().max_sessions(2));
    let (_first, _agent) = rig.session().await;
    let (_second, _agent) = rig.session().await;
    let reply = rig.create("").await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(reply.header("retry-after"), Some("1"));
    assert!(rig.agents.try_recv().is_err(), "no agent was started");
}

#[tokio::test(start_paused = true)]
async fn a_new_session_waits_for_the_agent_of_one_that_has_ended() {
    let mut rig = Rig::with(Limits::default().max_sessions(1));
    let (id, agent) = rig.session().await;
    rig.ask(Method::DELETE, &format!("/sessions/{id}"), "").await;

    let stack = rig.stack.clone();
    let create = request("ada", Method::POST, "/sessions", &[], "");
    let waiting = tokio::spawn(async move { Reply::of(stack.oneshot(create).await.unwrap()).await });
    // The clock is paused: this second passes once every other task waits.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!waiting.is_finished());
    assert!(rig.agents.try_recv().is_err(), "there is never more than one agent");
    drop(agent);
    assert_eq!(waiting.await.unwrap().status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn it_does_not_wait_for_ever() {
    let mut rig = Rig::with(Limits::default().max_sessions(1));
    let (id, _agent) = rig.session().await;
    rig.ask(Method::DELETE, &format!("/sessions/{id}"), "").await;
    assert_eq!(rig.create("").await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn an_agent_that_cannot_be_started_is_a_503_in_its_own_words() {
    let (agents, far) = FakeAgents::new();
    let rig = Rig::build(agents.refusing("no claude here"), far, |builder| builder);
    let reply = rig.create("").await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(reply.header("retry-after"), Some("1"));
    assert_eq!(reply.detail(), "the agent could not be started: no claude here");
    assert!(rig.stack.sessions().is_empty());
}

#[tokio::test]
async fn a_failed_start_gives_its_slot_back() {
    let (agents, far) = FakeAgents::new();
    let limits = Limits::default().max_sessions(1);
    let rig = Rig::build(agents.refusing("no"), far, |builder| builder.limits(limits));
    for _ in 0..3 {
        assert!(rig.create("").await.detail().ends_with(": no"));
    }
}
