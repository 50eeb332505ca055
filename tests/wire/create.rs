//! `POST /sessions`: valid bodies, and the answers to invalid ones.

use serde_json::json;

use crate::support::Server;

#[tokio::test]
async fn a_session_is_named_by_a_v4_uuid() {
    let server = Server::start().await;
    let reply = server.client().create(&json!({})).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.json()["protocol_version"], "1.0");
    let id = reply.json()["session_id"].as_str().unwrap().to_owned();
    let groups: Vec<_> = id.split('-').map(str::len).collect();
    assert_eq!(groups, [8, 4, 4, 4, 12], "{id}");
    assert_eq!(&id[14..15], "4", "{id}");
}

#[tokio::test]
async fn the_body_may_be_empty_hold_nulls_and_unknown_fields() {
    let server = Server::start().await;
    let client = server.client();
    assert_eq!(client.post("/sessions", "").await.status, 200);
    let nulls = json!({"model": null, "permission_mode": null, "cwd": null, "theme": "dark"});
    assert_eq!(client.create(&nulls).await.status, 200);
}

#[tokio::test]
async fn every_mistake_in_the_body_has_its_status_and_is_named() {
    let server = Server::start().await;
    let client = server.client();
    for (body, status, named) in [
        ("{", 400, "JSON"),
        ("[]", 400, "object"),
        (r#"{"model":1}"#, 422, "model"),
        (r#"{"permission_mode":[]}"#, 422, "permission_mode"),
        (r#"{"cwd":{}}"#, 422, "cwd"),
        (r#"{"cwd":"/etc"}"#, 403, "cwd"),
        (r#"{"permission_mode":"bypassPermissions"}"#, 403, "bypassPermissions"),
    ] {
        let reply = client.post("/sessions", body).await;
        assert_eq!(reply.status, status, "{body}: {reply:?}");
        assert!(reply.detail().contains(named), "{body}: {}", reply.detail());
    }
    assert_eq!(client.get("/sessions").await.json()["sessions"], json!([]), "nothing was started");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let server = Server::builder().option("--max-body", "1000").start().await;
    let client = server.client();
    let id = client.created(&json!({"model": null})).await;

    let large = json!({"type": "user_message", "content": "x".repeat(1000)});
    let reply = client.input(&id, &large).await;
    assert_eq!(reply.status, 413);
    assert!(!reply.detail().is_empty());
    let reply = client.create(&json!({"theme": "x".repeat(1000)})).await;
    assert_eq!(reply.status, 413);
}

#[tokio::test]
async fn an_agent_that_cannot_start_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let claude = directory.path().join("claude");
    std::os::unix::fs::symlink(crate::support::claude(), &claude).unwrap();
    let server = Server::builder().claude(&claude).start().await;
    std::fs::remove_file(&claude).unwrap();

    let reply = server.client().create(&json!({})).await;
    assert_eq!(reply.status, 503);
    assert!(reply.header("retry-after").is_some(), "{reply:?}");
    assert!(reply.detail().contains("claude"), "{}", reply.detail());
}

#[tokio::test]
async fn a_session_is_deleted_as_often_as_one_likes() {
    let server = Server::start().await;
    let client = server.client();
    let id = client.created(&json!({})).await;
    for id in [&id, &id, "a76c1a39-6d6e-4a53-ba9b-2f6f1a3a7a3b", "never-an-id"] {
        let reply = client.delete(id).await;
        assert_eq!(reply.status, 204, "{id}");
        assert!(reply.body.is_empty());
    }
    assert_eq!(client.input(&id, &json!({"type": "interrupt"})).await.status, 404);
}

/// The agent of a deleted session, and its transcript, exist a little longer.
#[tokio::test]
async fn a_deleted_session_is_gone_at_once() {
    let server = Server::start().await;
    let mut session = server.session().await;
    session.turn("hello").await;
    let (client, id) = (session.client.clone(), session.id.clone());
    assert_eq!(client.delete(&id).await.status, 204);
    assert_eq!(client.get(&format!("/sessions/{id}")).await.status, 404);
    assert_eq!(client.input(&id, &json!({"type": "interrupt"})).await.status, 404);
    let last = session.events.rest().await.last().map(|frame| frame.event.clone());
    assert_eq!(last.as_deref(), Some("done"));
}
