//! A model's stream that breaks in the middle of a message, which the CLI then asks for again.

use serde_json::json;

use crate::support::{Cuttable, Script, Server, model_url};

#[tokio::test]
async fn the_half_message_is_closed_before_the_next_one_begins() {
    let network = Cuttable::before(model_url().trim_start_matches("http://")).await;
    let server = Server::builder().env("ANTHROPIC_BASE_URL", network.url()).start().await;
    let mut session = server.session().await;
    session.say(Script::slow(300, 20)).await;
    let half = session.until("message_delta").await["message_id"].clone();
    session.until("message_delta").await;
    network.cut();

    let closed = session.until("message_complete").await;
    let message = json!({"id": half, "role": "assistant", "content": []});
    assert_eq!(closed.data, json!({"message_id": half, "message": message, "abandoned": true}));
    let next = session.until("message_delta").await["message_id"].clone();
    assert_ne!(next, half);
    session.until("result").await;
    let whole = session.events.all("message_complete").last().unwrap();
    assert_eq!((&whole["message_id"], &whole["message"]["stop_reason"]), (&next, &json!("end_turn")));
    let late = session.events.all("message_delta").filter(|frame| frame["message_id"] == half);
    assert!(late.map(|frame| frame.id).max() < closed.id.into(), "nothing of it comes later");
    session.close().await;
}
