//! `Idempotency-Key`: an input that is sent twice takes effect once.

use http::Method;
use serde_json::{Value, json};

use crate::support::{Reply, Server, Session};

async fn keyed(session: &Session, key: &str, message: &Value) -> Reply {
    let path = format!("/sessions/{}/input", session.id);
    session.client.ask(Method::POST, &path, &[("idempotency-key", key)], message.to_string()).await
}

fn said(text: &str) -> Value {
    json!({"type": "user_message", "content": text})
}

#[tokio::test]
async fn a_repeat_runs_nothing_twice() {
    let server = Server::start().await;
    let mut session = server.session().await;
    for _ in 0..3 {
        assert_eq!(keyed(&session, "one", &said("hello")).await.status, 204);
    }
    session.until("result").await;
    assert_eq!(keyed(&session, "one", &said("hello")).await.status, 204);
    assert_eq!(keyed(&session, "two", &said("hello")).await.status, 204);
    session.until("result").await;
    let asked = session.close().await.all("user_message").count();
    assert_eq!(asked, 2);
}

#[tokio::test]
async fn a_key_stands_for_one_body() {
    let server = Server::start().await;
    let mut session = server.session().await;
    assert_eq!(keyed(&session, "one", &said("hello")).await.status, 204);
    let reply = keyed(&session, "one", &said("goodbye")).await;
    assert_eq!(reply.status, 422);
    assert!(reply.detail().contains("Idempotency-Key"), "{}", reply.detail());
    session.until("result").await;
    let asked = session.close().await.all("user_message").count();
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn a_refused_input_does_not_use_up_its_key() {
    let server = Server::start().await;
    let mut session = server.session().await;
    let stranger =
        json!({"type": "permission_response", "correlation_id": "toolu_never", "behavior": "allow"});
    assert_eq!(keyed(&session, "one", &stranger).await.status, 409);
    assert_eq!(keyed(&session, "one", &said("hello")).await.status, 204);
    session.until("result").await;
    session.close().await;
}
