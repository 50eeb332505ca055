//! The shutdown of all sessions.

use std::time::Duration;

use http::{Method, StatusCode};

use super::rig::Rig;

#[tokio::test]
async fn streams_end_and_agents_are_waited_for() {
    let mut rig = Rig::new();
    let (id, mut agent) = rig.session().await;
    let events = rig.events(&id, None).await;
    let sessions = rig.stack.sessions().clone();
    let shutdown = tokio::spawn(async move { sessions.shutdown().await });

    let names: Vec<_> = events.rest().await.into_iter().map(|event| event.name).collect();
    assert_eq!(names.last().unwrap(), "done");
    agent.is_let_go().await;
    assert!(!shutdown.is_finished(), "its agent is still there");
    drop(agent);
    shutdown.await.unwrap();
    assert!(rig.stack.sessions().is_empty());
}

#[tokio::test]
async fn no_new_session_is_made_from_then_on() {
    let mut rig = Rig::new();
    rig.stack.sessions().shutdown().await;
    let reply = rig.create("").await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(reply.header("retry-after"), Some("1"));
    assert!(rig.agents.try_recv().is_err());
    assert_eq!(rig.get("/sessions").await.status, StatusCode::OK, "the rest still answers");
}

#[tokio::test]
async fn a_reader_that_never_reads_keeps_nobody() {
    let mut rig = Rig::new();
    let (id, agent) = rig.session().await;
    let stalled = rig.events(&id, None).await;
    drop(agent);
    tokio::time::pause();
    rig.stack.sessions().shutdown().await;
    let last = stalled.rest().await.pop().unwrap();
    assert_eq!((last.name.as_str(), last.id), ("error", None));
    assert_eq!(last.data["code"], "server_shutdown");
    assert!(last.data["message"].as_str().unwrap().contains("server is shutting down"), "{last:?}");
}

#[tokio::test]
async fn a_reader_that_did_not_read_a_deleted_session_is_told_so() {
    let mut rig = Rig::new();
    let (id, agent) = rig.session().await;
    let stalled = rig.events(&id, None).await;
    drop(agent);
    tokio::time::pause();
    rig.ask(Method::DELETE, &format!("/sessions/{id}"), "").await;
    // Its stream is kept for a while, in which a reader may still read it.
    tokio::time::sleep(Duration::from_secs(60)).await;
    let last = stalled.rest().await.pop().unwrap();
    assert_eq!((last.name.as_str(), last.id), ("error", None));
    assert_eq!(last.data["code"], "session_closed");
}
