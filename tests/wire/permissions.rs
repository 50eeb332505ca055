//! Permission requests: each is answered once, and all readers receive the outcome.

use http::StatusCode;
use serde_json::{Value, json};

use crate::support::{Events, Frame, Script, Server, Session, allow, bash};

/// Makes the agent run `touch <name>` and reads up to the permission request.
async fn asked(session: &mut Session, name: &str) -> Frame {
    session.say(Script::bash(&format!("touch {name}"))).await;
    session.until("permission_request").await
}

fn reply(request: &Frame, fields: Value) -> Value {
    let Value::Object(mut reply) = fields else { panic!("{fields} is no object") };
    reply.insert("type".into(), "permission_response".into());
    reply.insert("correlation_id".into(), request["correlation_id"].clone());
    reply.into()
}

/// Returns the outcome of the prompt, which must have ended exactly once.
fn outcome(events: &Events, request: &Frame) -> Value {
    let id = &request["correlation_id"];
    let outcomes: Vec<_> =
        events.all("prompt_resolved").filter(|frame| frame["correlation_id"] == *id).collect();
    assert_eq!(outcomes.len(), 1, "{outcomes:?}");
    outcomes[0].data.clone()
}

fn tool_result(events: &Events) -> &Frame {
    events.all("tool_result").last().expect("a tool's result")
}

#[tokio::test]
async fn an_allowed_tool_runs() {
    let server = Server::start().await;
    let mut session = server.session().await;
    let request = asked(&mut session, "made").await;
    assert_eq!(request["correlation_id"], "toolu_bash");
    assert_eq!(request["tool_name"], "Bash");
    assert_eq!(request["input"], json!({"command": "touch made"}));
    assert!(request["context"]["blocked_path"].is_string(), "{request:?}");
    assert!(!server.workspace().join("made").exists());

    session.allow(&request).await;
    session.until("result").await;
    assert!(server.workspace().join("made").exists());
    assert_eq!(tool_result(&session.events)["is_error"], false);
    assert_eq!(
        outcome(&session.events, &request),
        json!({"correlation_id": "toolu_bash", "kind": "permission", "outcome": "answered", "behavior": "allow"})
    );
    assert_eq!(session.input(&allow(&request)).await.status, 409);
    session.close().await;
}

#[tokio::test]
async fn the_input_may_be_edited() {
    let server = Server::start().await;
    let mut session = server.session().await;
    let request = asked(&mut session, "made").await;
    let edited = json!({"behavior": "allow", "updated_input": {"command": "touch edited"}});
    session.put(&reply(&request, edited)).await;
    session.until("result").await;
    assert!(server.workspace().join("edited").exists());
    assert!(!server.workspace().join("made").exists());
    session.close().await;
}

#[tokio::test]
async fn updated_permissions_are_kept() {
    let server = Server::start().await;
    let mut session = server.session().await;
    let request = asked(&mut session, "made").await;
    let rules = json!([{"type": "setMode", "mode": "acceptEdits", "destination": "session"}]);
    session.put(&reply(&request, json!({"behavior": "allow", "updated_permissions": rules}))).await;
    session.until("result").await;

    let turn = session.turn(Script::new(bash("toolu_again", "touch again")).then("done")).await;
    assert!(turn.iter().all(|frame| frame.event != "permission_request"), "it asked again");
    assert!(server.workspace().join("again").exists());
    session.close().await;
}

#[tokio::test]
async fn a_denied_tool_does_not_run_and_the_model_hears_why() {
    let server = Server::start().await;
    let mut session = server.session().await;
    let request = asked(&mut session, "made").await;
    session.put(&reply(&request, json!({"behavior": "deny", "message": "Not on a Sunday."}))).await;
    session.until("result").await;
    assert!(!server.workspace().join("made").exists());
    let told = tool_result(&session.events);
    assert_eq!(told["is_error"], true);
    assert!(told["output"].to_string().contains("Not on a Sunday."), "{told:?}");
    assert_eq!(outcome(&session.events, &request)["behavior"], "deny");
    let last = session.events.all("message_complete").last().unwrap();
    assert_eq!(last["message"]["content"][0]["text"], "done", "the turn went on");
    session.close().await;
}

#[tokio::test]
async fn a_denial_may_end_the_turn() {
    let server = Server::start().await;
    let mut session = server.session().await;
    let request = asked(&mut session, "made").await;
    session.put(&reply(&request, json!({"behavior": "deny", "message": "Stop.", "interrupt": true}))).await;
    session.until("result").await;
    let said_done =
        session.events.all("message_complete").any(|frame| frame["message"].to_string().contains("done"));
    assert!(!said_done, "the turn went on");
    assert_eq!(outcome(&session.events, &request)["outcome"], "answered");
    assert_eq!(session.turn("next").await.pop().unwrap()["subtype"], "success");
    session.close().await;
}

#[tokio::test]
async fn of_twenty_replies_one_is_taken() {
    let server = Server::start().await;
    let mut session = server.session().await;
    let request = asked(&mut session, "made").await;
    let replies = (0..20).map(|number| {
        let behavior = if number % 2 == 0 { "allow" } else { "deny" };
        let (client, id) = (session.client.clone(), session.id.clone());
        let message = reply(&request, json!({"behavior": behavior}));
        tokio::spawn(async move { (behavior, client.input(&id, &message).await.status) })
    });
    let mut winner = None;
    for answered in replies.collect::<Vec<_>>() {
        match answered.await.unwrap() {
            (behavior, StatusCode::NO_CONTENT) => {
                assert_eq!(winner.replace(behavior), None, "two were taken");
            }
            (_, status) => assert_eq!(status, 409),
        }
    }
    session.until("result").await;
    let winner = winner.expect("none was taken");
    assert_eq!(outcome(&session.events, &request)["behavior"], winner);
    assert_eq!(server.workspace().join("made").exists(), winner == "allow");
    session.close().await;
}

#[tokio::test]
async fn a_bad_reply_leaves_the_prompt_open() {
    let server = Server::start().await;
    let mut session = server.session().await;
    let request = asked(&mut session, "made").await;
    for (fields, named) in [
        (json!({"behavior": "allow", "interrupt": true}), "interrupt"),
        (json!({"behavior": "maybe"}), "behavior"),
        (json!({}), "behavior"),
        (json!({"behavior": "allow", "updated_input": []}), "updated_input"),
        (json!({"behavior": "allow", "updated_permissions": {}}), "updated_permissions"),
    ] {
        let refused = session.input(&reply(&request, fields)).await;
        assert_eq!(refused.status, 400);
        assert!(refused.detail().contains(named), "{}", refused.detail());
    }
    let stranger =
        json!({"type": "permission_response", "correlation_id": "toolu_never", "behavior": "allow"});
    assert_eq!(session.input(&stranger).await.status, 409);

    session.allow(&request).await;
    session.until("result").await;
    outcome(&session.events, &request);
    session.close().await;
}

#[tokio::test]
async fn a_reload_finds_the_open_prompt() {
    let server = Server::start().await;
    let mut session = server.session().await;
    let request = asked(&mut session, "made").await;

    let mut reloaded = session.client.events_after(&session.id, session.events.last_id()).await;
    let state = reloaded.until("session_state").await;
    assert_eq!(state.id, None);
    assert_eq!(state["status"], "requires_action");
    assert_eq!(state["oldest_seq"], 1);
    assert_eq!(state["as_of_seq"], session.events.last_id());
    let pending = state["pending"].as_array().unwrap();
    assert_eq!(pending.len(), 1, "{state:?}");
    for member in ["correlation_id", "tool_name", "input"] {
        assert_eq!(pending[0][member], request[member], "{member}");
    }

    session.allow(&request).await;
    reloaded.until("prompt_resolved").await;
    session.until("result").await;
    let later = session.client.get(&format!("/sessions/{}", session.id)).await.json();
    assert_eq!(later["pending"], json!([]));
    session.close().await;
}

#[tokio::test]
async fn a_session_that_ends_settles_its_prompts() {
    let server = Server::start().await;
    let mut session = server.session().await;
    let request = asked(&mut session, "made").await;
    let events = session.close().await;
    assert_eq!(outcome(&events, &request)["outcome"], "session_closed");
    assert!(!server.workspace().join("made").exists());
}
