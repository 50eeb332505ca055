//! A session's budget.

use serde_json::{Value, json};

use crate::support::{Client, Frame, Script, Server, Session, bash};

/// A turn of this many steps, each of which costs something.
fn steps(count: usize) -> Script {
    let script = (0..count)
        .fold(Script::default(), |script, n| script.then(bash(&format!("toolu_{n}"), &format!("echo {n}"))));
    script.then("Done.")
}

async fn cost_of_a_step(server: &Server) -> f64 {
    let mut session = server.session().await;
    let result = session.turn("hello").await.pop().unwrap();
    session.close().await;
    result["total_cost_usd"].as_f64().unwrap()
}

fn named<'a>(frames: &'a [Frame], event: &str) -> Vec<&'a Frame> {
    frames.iter().filter(|frame| frame.event == event).collect()
}

fn sum(frames: &[Frame]) -> f64 {
    named(frames, "result").iter().map(|result| result["total_cost_usd"].as_f64().unwrap()).sum()
}

async fn refused(session: &Session) -> Value {
    let reply = session.input(&json!({"type": "user_message", "content": "more"})).await;
    assert_eq!(reply.status, 402, "{reply:?}");
    assert_eq!(reply.header("retry-after"), None, "a session's budget does not come back");
    reply.json()
}

#[tokio::test]
async fn a_turn_is_interrupted_when_the_sessions_budget_is_used_up() {
    let server = Server::start().await;
    let step = cost_of_a_step(&server).await;
    let mut session = server.session_with(&json!({"budget_usd": step * 3.5})).await;
    session.turn("This is within the budget.").await;
    session.say(steps(50)).await;
    session.say("This waits.").await;
    let error = session.until("error").await;
    assert_eq!(
        (&error["code"], &error["budget"]),
        (&json!("budget_exceeded"), &json!("session")),
        "{error:?}"
    );
    assert_eq!((&error["limit_usd"], &error["free_at"]), (&json!(step * 3.5), &Value::Null), "{error:?}");
    session.until("user_message_cancelled").await;
    let result = session.until("result").await;
    assert_eq!((&result["subtype"], &result["is_error"]), (&json!("error_max_budget_usd"), &json!(true)));
    let refusal = refused(&session).await;
    assert_eq!(refusal["code"], "budget_exceeded");
    assert_eq!(refusal["detail"], error["message"]);
    assert_eq!(session.input(&json!({"type": "interrupt"})).await.status, 204, "other inputs work");

    let seen = session.close().await.seen;
    let calls = named(&seen, "tool_use").len();
    assert!((2..10).contains(&calls), "{calls} steps ran");
    let last = named(&seen, "result").pop().unwrap()["session_cost_usd"].as_f64().unwrap();
    assert!((sum(&seen) - last).abs() < 1e-9 && last >= step * 3.5, "{last}");
    assert_eq!(named(&seen, "error").len(), 1, "it is told once");
}

#[tokio::test]
async fn the_budget_is_kept_over_a_restart() {
    let server = Server::start().await;
    let step = cost_of_a_step(&server).await;
    let mut session = server.session_with(&json!({"budget_usd": step * 1.5})).await;
    session.turn("one").await;
    let id = session.id.clone();
    let described = async |client: &Client| client.get(&format!("/sessions/{id}")).await.json();
    assert_eq!(described(&server.client()).await["budget_usd"], step * 1.5);
    let server = server.stop().start().await;
    let client = server.client();
    assert_eq!(described(&client).await["budget_usd"], step * 1.5, "before it is in memory");
    let mut session = Session { events: client.events(&id).await, client, id };
    session.until("session_state").await;
    session.say("two").await;
    session.until("error").await;
    let server = server.kill().start().await;
    let session = Session { client: server.client(), ..session };
    refused(&session).await;
}

#[tokio::test]
async fn a_client_chooses_no_more_than_the_operator_allows() {
    let server = Server::builder().option("--session-budget-usd", "0.00001").start().await;
    let client = server.client();
    for (budget, status) in [
        (json!(0.00002), 403),
        (json!(0), 422),
        (json!(-1), 422),
        (json!("1"), 422),
        (json!(null), 200),
        (json!(0.00001), 200),
    ] {
        let reply = client.create(&json!({"budget_usd": budget})).await;
        assert_eq!(reply.status, status, "{budget}: {reply:?}");
    }
    let mut session = server.session().await;
    session.turn("hello").await;
    refused(&session).await;
    session.close().await;
}
