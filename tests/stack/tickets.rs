//! A ticket reads one session's stream, and does nothing else.

use std::time::Duration;

use agent_webkit::{layers::auth::StaticTokens, service::Limits};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use tokio::time::Instant;

use super::{
    fake::FakeAgents,
    rig::{Reply, Rig},
};

async fn ticket(rig: &Rig, token: &str, id: &str) -> String {
    let reply = rig.ask_as(token, Method::POST, &format!("/sessions/{id}/tickets"), "").await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let body = reply.json();
    let ticket = body["ticket"].as_str().unwrap();
    assert_eq!(body["stream_url"], format!("stream?ticket={ticket}"));
    ticket.to_owned()
}

/// A request with only a URL, as an `EventSource` sends it.
fn bare(method: Method, path: &str, body: &'static str) -> Request<Full<Bytes>> {
    Request::builder().method(method).uri(path).body(Full::from(body)).unwrap()
}

async fn status(rig: &Rig, method: Method, path: &str) -> StatusCode {
    Reply::of(rig.answer(bare(method, path, r#"{"type":"interrupt"}"#)).await).await.status
}

#[tokio::test]
async fn an_event_source_reads_and_comes_back_with_the_same_url() {
    let mut rig = Rig::new();
    let (id, _agent) = rig.session().await;
    for token in ["ada", "ada:read"] {
        let ticket = ticket(&rig, token, &id).await;
        let url = format!("/sessions/{id}/stream?ticket={ticket}");
        for _ in 0..3 {
            let mut events = rig.open(bare(Method::GET, &url, "")).await;
            assert_eq!(events.until("session_ready").await.id, Some(1));
        }
        let mut after = rig.open(bare(Method::GET, &format!("{url}&last_event_id=1"), "")).await;
        assert_eq!(after.next().await.unwrap().name, "session_state", "the rest of the query counts");
    }
}

#[tokio::test]
async fn a_ticket_is_no_credential_for_anything_else() {
    let mut rig = Rig::new();
    let (id, mut agent) = rig.session().await;
    let (other, _agent) = rig.session().await;
    let ticket = ticket(&rig, "ada", &id).await;
    let session = format!("/sessions/{id}");
    for (method, path) in [
        (Method::POST, "/sessions".to_owned()),
        (Method::GET, "/sessions".to_owned()),
        (Method::GET, session.clone()),
        (Method::DELETE, session.clone()),
        (Method::POST, format!("{session}/input")),
        (Method::POST, format!("{session}/tickets")),
        (Method::POST, format!("{session}/stream")),
        (Method::OPTIONS, format!("{session}/stream")),
        (Method::GET, format!("/sessions/{other}/stream")),
        (Method::GET, "/sessions/none/stream".to_owned()),
    ] {
        let url = format!("{path}?ticket={ticket}");
        assert_eq!(status(&rig, method.clone(), &url).await, StatusCode::UNAUTHORIZED, "{method} {path}");
        assert_eq!(
            rig.ask_as(&ticket, method.clone(), &path, "").await.status,
            StatusCode::UNAUTHORIZED,
            "as a bearer token: {method} {path}"
        );
    }
    assert!(agent.commands.try_recv().is_err(), "nothing reached the agent");
    assert_eq!(rig.stack.sessions().len(), 2);
}

#[tokio::test]
async fn only_who_may_read_a_session_gets_a_ticket() {
    let mut rig = Rig::new();
    let (id, _agent) = rig.session().await;
    let path = format!("/sessions/{id}/tickets");
    for (token, refusal) in [
        ("bob", StatusCode::NOT_FOUND),
        ("wrong", StatusCode::UNAUTHORIZED),
        ("ada:drive", StatusCode::FORBIDDEN),
    ] {
        assert_eq!(rig.ask_as(token, Method::POST, &path, "").await.status, refusal, "{token}");
    }
}

#[tokio::test]
async fn an_expired_ticket_is_refused() {
    let mut rig = Rig::with(Limits::default().ticket_lifetime(Duration::ZERO));
    let (id, _agent) = rig.session().await;
    let ticket = ticket(&rig, "ada", &id).await;
    let url = format!("/sessions/{id}/stream?ticket={ticket}");
    assert_eq!(status(&rig, Method::GET, &url).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn with_its_session_a_ticket_is_worth_nothing() {
    let mut rig = Rig::new();
    let (id, _agent) = rig.session().await;
    let ticket = ticket(&rig, "ada", &id).await;
    rig.ask(Method::DELETE, &format!("/sessions/{id}"), "").await;
    let url = format!("/sessions/{id}/stream?ticket={ticket}");
    assert_eq!(status(&rig, Method::GET, &url).await, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn a_stream_outlives_its_ticket_but_not_the_credential_behind_it() {
    let mut rig = Rig::with(Limits::default().ticket_lifetime(Duration::from_secs(5)));
    let (id, _agent) = rig.session().await;
    let ticket = ticket(&rig, "ada-for-a-minute", &id).await;
    let opened = Instant::now();
    let events = rig.open(bare(Method::GET, &format!("/sessions/{id}/stream?ticket={ticket}"), "")).await;
    assert!(events.rest().await.iter().all(|event| event.name != "done"));
    assert!((55..=60).contains(&opened.elapsed().as_secs()), "{:?}", opened.elapsed());
}

#[tokio::test]
async fn a_revoked_token_takes_its_streams_and_its_tickets_along() {
    let tokens = StaticTokens::default().with("ada", "ada").unwrap().with("ada", "second").unwrap();
    let (agents, far) = FakeAgents::new();
    let mut rig = Rig::build(agents, far, |builder| builder.auth(tokens.clone()));
    let (id, _agent) = rig.session().await;
    let [revoked, kept] = [ticket(&rig, "ada", &id).await, ticket(&rig, "second", &id).await];
    let url = |ticket: &str| format!("/sessions/{id}/stream?ticket={ticket}");
    let own = rig.events(&id, None).await;
    let by_ticket = rig.open(bare(Method::GET, &url(&revoked), "")).await;
    let mut other = rig.open(bare(Method::GET, &url(&kept), "")).await;

    tokens.replace(&StaticTokens::default().with("ada", "second").unwrap());
    for events in [own, by_ticket] {
        assert!(events.rest().await.iter().all(|event| event.name != "done"), "the session goes on");
    }
    assert_eq!(status(&rig, Method::GET, &url(&revoked)).await, StatusCode::UNAUTHORIZED);
    rig.ask_as("second", Method::DELETE, &format!("/sessions/{id}"), "").await;
    other.until("done").await;
}
