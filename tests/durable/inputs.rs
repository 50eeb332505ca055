//! Inputs that were on their way to an agent when the server was killed.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    place::{Place, on_both},
    reader::Reader,
    support::{Script, Server, allow, eventually},
};

on_both! {
    messages_that_wait_get_their_turns,
    a_key_is_remembered,
    an_open_prompt_can_be_interrupted_without_its_agent,
    a_turn_that_was_cut_is_not_listed_as_running,
    a_message_with_a_nul_keeps_no_row_from_being_saved,
}

fn contents(reader: &Reader) -> Vec<&Value> {
    reader.shown.iter().filter(|frame| frame.event == "user_message").map(|frame| &frame["content"]).collect()
}

async fn messages_that_wait_get_their_turns(place: Place) {
    let server = place.server().start().await;
    let mut reader = Reader::create(server.client()).await;
    let long = Script::slow(1000, 20).to_string();
    reader.say("first", long.clone()).await;
    for word in ["heliotrope", "vermilion"] {
        reader.say(word, format!("The word is {word}.")).await;
    }
    reader.until("message_delta").await;
    let _server = server.kill().start().await;
    assert_eq!(reader.until("result").await["terminal_reason"], "server_restart");
    for word in ["heliotrope", "vermilion"] {
        let answer = reader.until("message_complete").await.data.to_string();
        assert!(answer.contains(word), "{answer}");
        assert_eq!(reader.until("result").await["subtype"], "success");
    }
    let expected = [long.as_str(), "The word is heliotrope.", "The word is vermilion."];
    assert_eq!(contents(&reader), expected, "each is told once");
    reader.replays().await;
}

async fn a_key_is_remembered(place: Place) {
    let server = place.server().start().await;
    let mut reader = Reader::create(server.client()).await;
    reader.say("one", "The word is heliotrope.").await;
    reader.until("result").await;
    reader.say("two", Script::slow(1000, 20).to_string()).await;
    reader.until("message_delta").await;
    let _server = server.kill().start().await;
    reader.say("one", "The word is heliotrope.").await;
    reader.say("two", Script::slow(1000, 20).to_string()).await;
    let path = format!("/sessions/{}/input", reader.id);
    let other = json!({"type": "user_message", "content": "something else"}).to_string();
    let reply = reader.client.ask(Method::POST, &path, &[("idempotency-key", "one")], other).await;
    assert_eq!(reply.status, StatusCode::UNPROCESSABLE_ENTITY);
    reader.history("history").await;
    assert_eq!(contents(&reader).len(), 3, "nothing runs twice");
    reader.replays().await;
}

async fn an_open_prompt_can_be_interrupted_without_its_agent(place: Place) {
    let server = place.server().start().await;
    let mut reader = Reader::create(server.client()).await;
    reader.say("ask", Script::bash("touch asked").to_string()).await;
    let request = reader.until("permission_request").await;
    let server = server.kill().start().await;
    let path = format!("/sessions/{}", reader.id);
    eventually("the session is here", async || server.client().get(&path).await.status == StatusCode::OK)
        .await;
    let interrupt = json!({"type": "interrupt"});
    assert_eq!(reader.client.input(&reader.id, &interrupt).await.status, StatusCode::NO_CONTENT);
    let resolved = reader.until("prompt_resolved").await;
    assert_eq!(resolved["correlation_id"], request["correlation_id"]);
    assert_eq!(resolved["outcome"], "cancelled");
    assert_eq!(reader.until("result").await["terminal_reason"], "interrupted");
    assert_eq!(reader.client.get(&path).await.json()["pending"], json!([]));
    assert_eq!(reader.client.input(&reader.id, &allow(&request)).await.status, StatusCode::CONFLICT);
    assert!(!server.workspace().join("asked").exists());
    reader.say("on", "It goes on.").await;
    assert_eq!(reader.until("result").await["subtype"], "success");
    let settled = reader.shown.iter().filter(|frame| frame.event == "prompt_resolved").count();
    assert_eq!(settled, 1);
    reader.replays().await;
}

async fn a_turn_that_was_cut_is_not_listed_as_running(place: Place) {
    let server = place.server().start().await;
    let mut reader = Reader::create(server.client()).await;
    reader.say("long", Script::slow(1000, 20).to_string()).await;
    reader.until("message_delta").await;
    assert_eq!(listed_status(&server).await, "running");
    let server = server.kill().start().await;
    // The lease of the killed server may have to expire first.
    eventually("its rest", async || listed_status(&server).await == "idle").await;
    assert_eq!(reader.until("result").await["terminal_reason"], "server_restart");
}

async fn a_message_with_a_nul_keeps_no_row_from_being_saved(place: Place) {
    let server = place.server().start().await;
    let mut reader = Reader::create(server.client()).await;
    reader.say("nul", "one\0two").await;
    reader.until("result").await;
    let server = server.kill().start().await;
    let listed = server.client().get("/sessions").await.json();
    assert_eq!(listed["sessions"][0]["title"], "one\u{fffd}two");
    assert_eq!(server.client().get("/readyz").await.status, StatusCode::OK);
}

async fn listed_status(server: &Server) -> Value {
    server.client().get("/sessions").await.json()["sessions"][0]["status"].clone()
}
