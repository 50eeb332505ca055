//! How many sessions there may be, and what happens when an agent cannot be started.

use agent_webkit::service::Limits;
use http::{Method, StatusCode};

use super::{
    fake::FakeAgents,
    rig::{Reply, Rig, request},
};

#[tokio::test]
async fn a_full_server_says_so_until_a_session_ends() {
    let mut rig = Rig::with(Limits::default().max_sessions(2));
    let (first, agent) = rig.session().await;
    let (_second, _agent) = rig.session().await;
    let reply = rig.create("").await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(reply.header("retry-after"), Some("1"));
    assert!(rig.agents.try_recv().is_err(), "no agent was started");

    rig.ask(Method::DELETE, &format!("/sessions/{first}"), "").await;
    // Its agent is still there, and so is its slot: the next session waits for it.
    let stack = rig.stack.clone();
    let create = request("ada", Method::POST, "/sessions", &[], "");
    let waiting =
        tokio::spawn(
            async move { Reply::of(tower::ServiceExt::oneshot(stack, create).await.unwrap()).await },
        );
    tokio::task::yield_now().await;
    assert!(rig.agents.try_recv().is_err());
    drop(agent);
    assert_eq!(waiting.await.unwrap().status, StatusCode::OK);
}

#[tokio::test]
async fn an_agent_that_cannot_be_started_is_a_503_in_its_own_words() {
    let (agents, far) = FakeAgents::new();
    let rig = Rig::build(agents.refusing("no claude here"), far, |builder| builder);
    let reply = rig.create("").await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(reply.header("retry-after"), Some("1"));
    assert_eq!(reply.detail(), "no claude here");
    assert!(rig.stack.sessions().is_empty());
}

#[tokio::test]
async fn a_failed_start_gives_its_slot_back() {
    let (agents, far) = FakeAgents::new();
    let limits = Limits::default().max_sessions(1);
    let rig = Rig::build(agents.refusing("no"), far, |builder| builder.limits(limits));
    for _ in 0..3 {
        assert_eq!(rig.create("").await.detail(), "no");
    }
}
