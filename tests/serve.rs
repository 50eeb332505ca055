//! The binary: the settings that it refuses, its output, and its graceful shutdown.
#![cfg(feature = "cli")]

mod support;

use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use http::Method;
use rustix::process::Signal;
use serde_json::json;
use support::Server;

#[tokio::test]
async fn what_cannot_be_is_one_sentence_and_exit_code_2() {
    for (server, named) in [
        (Server::builder().no_token(), "no token"),
        (Server::builder().flag("--no-auth"), "exclude"),
        (Server::builder().no_token().option("--token", ""), "empty"),
        (Server::builder().no_token().env("AGENT_WEBKIT_AUTH_TOKEN", ""), "empty"),
        (Server::builder().no_token().env("AGENT_WEBKIT_NO_AUTH", "0"), "no token"),
        (Server::builder().no_token().flag("--no-auth").option("--host", "0.0.0.0"), "loopback"),
        (Server::builder().option("--workspace", "/no/such/folder"), "/no/such/folder"),
        (Server::builder().option("--workspace", "/etc/passwd"), "/etc/passwd"),
        (Server::builder().claude("/no/such/claude"), "/no/such/claude"),
    ] {
        let command = format!("{server:?}");
        let (status, said) = server.fails().await;
        assert_eq!(status.code(), Some(2), "{command}: {said}");
        assert!(said.contains(named), "{command}: {said}");
        assert_eq!(said.lines().count(), 1, "{command}: {said}");
        assert!(!said.contains(support::TOKEN), "{command}: {said}");
    }
}

#[tokio::test]
async fn while_it_drains_it_is_alive_not_ready_and_takes_no_session() {
    let folder = tempfile::tempdir().unwrap();
    let deaf = folder.path().join("claude");
    fs::write(&deaf, "#!/bin/sh\nexec sleep 1000\n").unwrap();
    fs::set_permissions(&deaf, fs::Permissions::from_mode(0o755)).unwrap();

    let mut server = Server::builder().claude(&deaf).start().await;
    let client = server.client();
    let id = client.created(&json!({})).await;
    let mut events = client.events(&id).await;
    assert_eq!(client.get("/readyz").await.status, 200);

    server.signal(Signal::TERM);
    let ended = events.rest().await;
    assert!(ended.iter().all(|frame| frame.event != "done"), "the stream ends first, the session goes on");
    for (path, status) in [("/healthz", 200), ("/readyz", 503)] {
        let reply = client.with_token(None).ask(Method::GET, path, &[], "").await;
        assert_eq!(reply.status, status, "{path}");
    }
    let refused = client.create(&json!({})).await;
    assert_eq!(refused.status, 503);
    assert!(refused.header("retry-after").is_some());

    let status = server.wait(Duration::from_secs(15)).expect("it ends in time");
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn it_can_be_set_up_by_the_environment_alone() {
    let server = Server::builder()
        .no_token()
        .env("AGENT_WEBKIT_TOKEN", "fallback")
        .env("AGENT_WEBKIT_MAX_BODY", "1KiB")
        .env("AGENT_WEBKIT_MAX_SESSIONS", "1")
        .start()
        .await;
    let client = server.client().with_token(Some("fallback"));
    assert_eq!(client.post("/sessions", vec![b' '; 1025]).await.status, 413);
    client.created(&json!({})).await;
    assert_eq!(client.create(&json!({})).await.status, 503);
}

#[tokio::test]
async fn pages_of_other_origins_cannot_use_an_open_server() {
    let foreign = [("origin", "http://attacker.example"), ("sec-fetch-site", "cross-site")];
    let open = Server::builder().no_token().flag("--no-auth").start().await;
    let client = open.client();
    let reply = client.ask(Method::POST, "/sessions", &foreign, "{}").await;
    assert_eq!(reply.status, 403);
    assert!(reply.detail().contains("origin"));
    assert_eq!(client.get("/sessions").await.json()["sessions"], json!([]));
    client.created(&json!({})).await;

    let guarded = Server::start().await;
    let reply = guarded.client().ask(Method::POST, "/sessions", &foreign, "{}").await;
    assert_eq!(reply.status, 200, "who has the token may come from anywhere");
}
