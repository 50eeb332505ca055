//! The binary: the settings that it refuses, its output, and its graceful shutdown.
#![cfg(feature = "cli")]

mod support;

use std::{fs, os::unix::fs::PermissionsExt, process::Command, time::Duration};

use http::{Method, StatusCode};
use rustix::process::Signal;
use serde_json::json;
use support::{Server, eventually};

/// A file that is neither a policy nor components.
const CARGO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");

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
        (Server::builder().option("--policy", "/no/such/policy"), "/no/such/policy"),
        (Server::builder().option("--policy", CARGO), "Cargo.toml: line"),
        (Server::builder().option("--genui", "/no/such/genui"), "/no/such/genui"),
        (Server::builder().option("--genui", CARGO), "Cargo.toml: expected"),
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
async fn a_hangup_without_a_tokens_file_changes_nothing() {
    let mut server = Server::start().await;
    let id = server.client().created(&json!({})).await;
    server.signal(Signal::HUP);
    eventually("the signal is heard", async || server.log().contains("SIGHUP")).await;
    assert_eq!(server.client().get(&format!("/sessions/{id}")).await.status, 200);
    server.signal(Signal::TERM);
    assert_eq!(server.wait(Duration::from_secs(15)).expect("it ends in time").code(), Some(0));
}

#[tokio::test]
async fn a_tokens_file_that_blocks_keeps_neither_the_next_signal_nor_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let (path, pipe) = (folder.path().join("tokens"), folder.path().join("pipe"));
    fs::write(&path, "ada:first").unwrap();
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut server = Server::builder().option("--tokens-file", &path).start().await;
    let status = async |token| server.client().with_token(Some(token)).get("/sessions").await.status;

    // Opening a pipe for writing waits for its reader; a writer that writes nothing keeps that one waiting.
    let block = async || {
        fs::remove_file(&path).unwrap();
        fs::hard_link(&pipe, &path).unwrap();
        server.signal(Signal::HUP);
        let (pipe, patience) = (pipe.clone(), Duration::from_secs(20));
        let open = tokio::task::spawn_blocking(move || fs::File::options().write(true).open(pipe).unwrap());
        tokio::time::timeout(patience, open).await.expect("the file is read again").unwrap()
    };
    let writer = block().await;
    assert_eq!(status("first").await, 200);
    fs::remove_file(&path).unwrap();
    fs::write(&path, "ada:second").unwrap();
    server.signal(Signal::HUP);
    eventually("the second reload", async || status("second").await == 200).await;
    drop(writer);
    assert_eq!(
        (status("first").await, status("second").await),
        (StatusCode::UNAUTHORIZED, StatusCode::OK),
        "the abandoned read counts for nothing"
    );

    let _writer = block().await;
    server.signal(Signal::TERM);
    assert_eq!(server.wait(Duration::from_secs(15)).expect("it ends in time").code(), Some(0));
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
