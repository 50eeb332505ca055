//! Limits: queues, sessions, idle time.

use serde_json::json;

use crate::support::{Builder, Script, Server, bash, eventually, skips_balanced};

/// A server without storage. Idle sessions end there; stored ones leave memory.
fn in_memory() -> Builder {
    Server::builder().option("--store", "memory")
}

#[tokio::test]
async fn a_full_queue_pushes_back() {
    let server = Server::start().await;
    let session = server.session().await;
    session.say(Script::new(json!({"hang": 3600}))).await;
    for _ in 0..128 {
        session.say("queued").await;
    }
    let refused = session.input(&json!({"type": "user_message", "content": "one too many"})).await;
    assert_eq!(refused.status, 503);
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.json()["code"], "backpressure");
    session.interrupt().await;
    let events = session.close().await;
    assert_eq!(events.all("user_message").count(), 129);
}

#[tokio::test]
async fn there_is_room_for_so_many_sessions() {
    if skips_balanced("the limit is that of a host") {
        return;
    }
    let server = Server::builder().option("--max-sessions", "2").start().await;
    let client = server.client();
    let first = client.created(&json!({})).await;
    client.created(&json!({})).await;
    let refused = client.create(&json!({})).await;
    assert_eq!(refused.status, 503);
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    assert!(!refused.detail().is_empty());

    let mut events = client.events(&first).await;
    client.delete(&first).await;
    events.rest().await;
    client.created(&json!({})).await;
}

#[tokio::test]
async fn a_session_that_nobody_wants_ends() {
    let server = in_memory().option("--idle-timeout", "1").option("--keepalive", "0.1").start().await;
    let mut session = server.session().await;
    session.turn("hello").await;
    // Twenty keepalives take two seconds, twice the idle timeout: a reader keeps the session alive.
    for _ in 0..20 {
        session.events.comment().await;
    }
    assert!(session.events.all("done").next().is_none());

    let (client, id) = (session.client.clone(), session.id.clone());
    drop(session);
    eventually("the session's end", async || client.get(&format!("/sessions/{id}")).await.status == 404)
        .await;
    assert_eq!(client.input(&id, &json!({"type": "interrupt"})).await.status, 404);
}

#[tokio::test]
async fn a_turn_keeps_its_session_though_nobody_reads() {
    let server = in_memory().option("--idle-timeout", "0.3").start().await;
    let client = server.client();
    let id = client.created(&json!({"permission_mode": "acceptEdits"})).await;
    // A second of words, then a file that only an uninterrupted turn creates.
    let words = "word ".repeat(20);
    let script = Script::new(json!([words, bash("toolu_mark", "touch mark")])).then("done").pace(50);
    let message = json!({"type": "user_message", "content": script});
    assert_eq!(client.input(&id, &message).await.status, 204);
    eventually("the session's end", async || client.get(&format!("/sessions/{id}")).await.status == 404)
        .await;
    assert!(server.workspace().join("mark").exists(), "the session ended inside of the turn");
}
