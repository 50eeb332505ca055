//! Scopes and expiry of credentials.

use std::time::Duration;

use agent_webkit::proto::AgentCommand;
use http::{Method, StatusCode};
use tokio::time::Instant;

use super::rig::{Reply, Rig, request};

const MESSAGE: &str = r#"{"type":"user_message","content":"hello"}"#;
const ALLOW: &str = r#"{"type":"permission_response","correlation_id":"p","behavior":"allow"}"#;

/// Every route with an input of every kind, and the scope it needs.
fn table(id: &str) -> Vec<(&'static str, Method, String, &'static str)> {
    let session = format!("/sessions/{id}");
    let input = format!("{session}/input");
    let mut table = vec![
        ("read", Method::GET, "/sessions".to_owned(), ""),
        ("read", Method::HEAD, "/sessions".to_owned(), ""),
        ("read", Method::GET, session.clone(), ""),
        ("read", Method::HEAD, session.clone(), ""),
        ("read", Method::GET, format!("{session}/stream"), ""),
        ("read", Method::HEAD, format!("{session}/stream"), ""),
        ("read", Method::POST, format!("{session}/tickets"), ""),
        ("read", Method::GET, format!("{session}/commands"), ""),
        ("read", Method::GET, format!("{session}/models"), ""),
        ("read", Method::GET, format!("{session}/context"), ""),
        ("read", Method::GET, format!("{session}/mcp"), ""),
        ("read", Method::HEAD, format!("{session}/files"), ""),
        ("drive", Method::POST, "/sessions".to_owned(), ""),
        ("drive", Method::POST, "/sessions".to_owned(), r#"{"permission_mode":"plan"}"#),
        ("drive", Method::DELETE, session, ""),
    ];
    for (scope, body) in [
        ("drive", MESSAGE),
        ("drive", r#"{"type":"interrupt"}"#),
        ("drive", r#"{"type":"set_permission_mode","mode":"plan"}"#),
        ("drive", r#"{"type":"set_model","model":null}"#),
        ("drive", r#"{"type":"stop_task","task_id":"t"}"#),
        ("drive", r#"{"type":"cancel_message","message_uuid":"82015afa-a03d-4d03-833e-793f9eaa3b59"}"#),
        ("drive", r#"{"type":"rewind","message_uuid":"82015afa-a03d-4d03-833e-793f9eaa3b59"}"#),
        ("approve", ALLOW),
        ("approve", r#"{"type":"permission_response","correlation_id":"p","behavior":"deny"}"#),
        ("approve", r#"{"type":"question_response","correlation_id":"p","answers":{}}"#),
    ] {
        table.push((scope, Method::POST, input.clone(), body));
    }
    table
}

#[tokio::test]
async fn without_its_scope_every_route_and_input_is_forbidden() {
    let mut rig = Rig::new();
    let (id, mut agent) = rig.session().await;
    for (needed, method, path, body) in table(&id) {
        for scope in ["read", "drive", "approve", ""] {
            if scope == needed {
                continue;
            }
            let request = request(&format!("ada:{scope}"), method.clone(), &path, &[], body);
            let answer = rig.answer(request).await;
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{scope:?}: {method} {path} {body}");
            let reply = Reply::of(answer).await;
            if method != Method::HEAD {
                assert!(reply.detail().contains(needed), "{}", reply.detail());
            }
        }
    }
    assert!(agent.commands.try_recv().is_err(), "nothing reached the agent");
    assert_eq!(rig.stack.sessions().len(), 1, "none was made and none has ended");
}

#[tokio::test]
async fn a_reader_watches_a_driver_sends_and_an_approver_answers() {
    let mut rig = Rig::new();
    let (id, mut agent) = rig.session().await;
    let stream = format!("/sessions/{id}/stream");
    let mut events = rig.open(request("ada:read", Method::GET, &stream, &[], "")).await;

    let input = format!("/sessions/{id}/input");
    assert_eq!(rig.ask_as("ada:drive", Method::POST, &input, MESSAGE).await.status, StatusCode::NO_CONTENT);
    assert!(matches!(agent.hears().await, AgentCommand::User { .. }));
    agent.asks("p").await;
    events.until("permission_request").await;
    assert_eq!(rig.ask_as("ada:approve", Method::POST, &input, ALLOW).await.status, StatusCode::NO_CONTENT);
    assert_eq!(events.until("prompt_resolved").await.data["outcome"], "answered");

    let again = rig.ask_as("ada", Method::POST, &input, ALLOW).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "the first reply has won");
}

#[tokio::test]
async fn a_driver_cannot_approve_in_advance() {
    let mut rig = Rig::new();
    let (id, mut agent) = rig.session().await;
    let input = format!("/sessions/{id}/input");
    for mode in ["acceptEdits", "auto", "bypassPermissions", "unheard-of"] {
        let change = format!(r#"{{"type":"set_permission_mode","mode":"{mode}"}}"#);
        let reply = rig.ask_as("ada:drive", Method::POST, &input, change).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{mode}");
        assert!(reply.detail().contains("approve"), "{mode}: {}", reply.detail());
        let create = format!(r#"{{"permission_mode":"{mode}"}}"#);
        let reply = rig.ask_as("ada:drive", Method::POST, "/sessions", create).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{mode}");
    }
    assert!(agent.commands.try_recv().is_err());
    let made = rig.ask("POST".parse().unwrap(), "/sessions", r#"{"permission_mode":"acceptEdits"}"#).await;
    assert_eq!(made.status, StatusCode::OK);
}

#[tokio::test]
async fn what_is_not_ones_own_is_not_there_whatever_the_scope() {
    let mut rig = Rig::new();
    rig.session().await;
    let bobs = rig.ask_as("bob", Method::POST, "/sessions", "").await.session_id();
    for (path, method) in [("", Method::GET), ("/stream", Method::GET), ("/input", Method::POST)] {
        let reply = rig.ask_as("ada:", method, &format!("/sessions/{bobs}{path}"), MESSAGE).await;
        assert_eq!(reply.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_with_the_credential_and_the_run_goes_on() {
    let mut rig = Rig::new();
    let (id, mut agent) = rig.session().await;
    let stream = format!("/sessions/{id}/stream");
    let opened = Instant::now();
    let for_a_minute = rig.open(request("ada-for-a-minute", Method::GET, &stream, &[], "")).await;
    let for_good = rig.events(&id, None).await;
    let events = for_a_minute.rest().await;
    assert!((55..=60).contains(&opened.elapsed().as_secs()), "{:?}", opened.elapsed());
    assert!(events.iter().any(|event| event.name == "session_ready"));
    assert!(events.iter().all(|event| event.name != "done"), "the session goes on: {events:?}");

    rig.input(&id, MESSAGE).await;
    assert!(matches!(agent.hears().await, AgentCommand::User { .. }));
    let mut for_good = for_good;
    tokio::time::timeout(Duration::from_secs(60), for_good.until("user_message")).await.unwrap();
}
