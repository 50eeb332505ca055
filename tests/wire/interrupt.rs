//! An interrupt ends only the running turn.

use serde_json::json;

use crate::support::{Script, Server, allow};

#[tokio::test]
async fn in_the_middle_of_a_text() {
    let server = Server::start().await;
    let mut session = server.session().await;
    session.say(Script::slow(1000, 50)).await;
    session.until("message_delta").await;
    session.interrupt().await;
    session.until("result").await;
    let said: String =
        session.events.all("message_delta").map(|frame| frame["delta"]["text"].to_string()).collect();
    assert!(!said.contains("w999"), "the turn was not cut short");
    assert_eq!(session.turn("next").await.pop().unwrap()["subtype"], "success");
    session.close().await;
}

#[tokio::test]
async fn while_a_prompt_is_open() {
    let server = Server::start().await;
    let mut session = server.session().await;
    session.say(Script::bash("touch made")).await;
    let request = session.until("permission_request").await;
    session.interrupt().await;
    let resolved = session.until("prompt_resolved").await;
    assert_eq!(resolved["correlation_id"], request["correlation_id"]);
    assert_eq!(resolved["outcome"], "cancelled");
    session.until("result").await;
    assert_eq!(session.input(&allow(&request)).await.status, 409);
    assert!(!server.workspace().join("made").exists());
    session.close().await;
}

#[tokio::test]
async fn when_nothing_runs() {
    let server = Server::start().await;
    let mut session = server.session().await;
    session.interrupt().await;
    assert_eq!(session.turn("first").await.pop().unwrap()["subtype"], "success");
    session.interrupt().await;
    assert_eq!(session.turn("second").await.pop().unwrap()["subtype"], "success");
    let results = session.close().await.all("result").count();
    assert_eq!(results, 2);
}

#[tokio::test]
async fn before_the_agent_is_up() {
    let server = Server::start().await;
    let client = server.client();
    let id = client.created(&json!({})).await;
    let slow = json!({"type": "user_message", "content": Script::slow(1000, 50)});
    assert_eq!(client.input(&id, &slow).await.status, 204);
    assert_eq!(client.input(&id, &json!({"type": "interrupt"})).await.status, 204);
    let mut events = client.events(&id).await;
    events.until("result").await;

    let next = json!({"type": "user_message", "content": "next"});
    assert_eq!(client.input(&id, &next).await.status, 204);
    let result = events.until("result").await;
    assert_eq!(result["subtype"], "success");
    let answer = events.all("message_complete").last().unwrap();
    assert_eq!(answer["message"]["content"][0]["text"], "You said: next");
}

#[tokio::test]
async fn what_is_queued_runs_after_it() {
    let server = Server::start().await;
    let mut session = server.session().await;
    session.say(Script::slow(1000, 50)).await;
    session.say("queued").await;
    session.until("message_delta").await;
    session.interrupt().await;
    session.until("result").await;
    session.until("result").await;
    let answer = session.events.all("message_complete").last().unwrap();
    assert_eq!(answer["message"]["content"][0]["text"], "You said: queued");
    session.close().await;
}
