//! What is sent, and what happens when it is not received.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    hooked,
    place::{Place, on_both},
    receiver::{Mode, OTHER_SECRET, Received, Receiver, SECRET, verified},
    support::{PATIENCE, Script, Server, bash, eventually},
};

on_both! { what_was_not_received_is_sent_again_after_kill_9_under_the_same_id }

#[tokio::test]
async fn a_prompt_and_a_result_come_signed_and_say_what_they_are_about() {
    let receiver = Receiver::start(Mode::Answer(204)).await;
    let server = hooked(Server::builder(), &receiver).start().await;
    let mut session = server.session().await;
    session.say(Script::new(bash("toolu_1", "touch made")).then("done")).await;
    let request = session.until("permission_request").await;
    let prompt = receiver.one("permission_request").await;
    let data = &prompt.json()["data"];
    assert_eq!(data["session_id"], session.id);
    assert_eq!(data["event"], request.data);
    assert_eq!((&data["owner"], &data["approve_url"]), (&json!("default"), &json!(null)), "no public URL");
    assert!(data["title"].as_str().is_some() && data["cwd"].as_str().is_some(), "{data}");
    assert_eq!(prompt.headers["content-type"], "application/json");
    assert_eq!(prompt.path, "/hook");

    session.allow(&request).await;
    let ended = session.until("result").await;
    let result = receiver.one("result").await;
    assert_eq!(result.json()["data"]["event"], ended.data);

    let mut altered = prompt.clone();
    altered.body = altered.body.replace("touch made", "touch evil");
    assert_ne!(altered.body, prompt.body);
    let mut renamed = prompt.clone();
    renamed.headers.insert("webhook-id".into(), "msg_other".into());
    let checked = [
        (SECRET, &prompt),
        (SECRET, &result),
        (SECRET, &altered),
        (SECRET, &renamed),
        (OTHER_SECRET, &prompt),
    ];
    assert_eq!(verified(&checked).await, [true, true, false, false, false]);
    let others: Vec<_> = receiver.received().iter().map(Received::kind).collect();
    assert_eq!(others, ["permission_request", "result"], "nothing else is sent, and nothing twice");
}

#[tokio::test]
async fn questions_and_errors_come_too_and_only_the_chosen_kinds_are_sent() {
    let receiver = Receiver::start(Mode::Answer(200)).await;
    let server = hooked(Server::builder(), &receiver)
        .option("--webhook-events", "prompts,errors")
        .option("--session-budget-usd", "0.0001")
        .option("--store", "memory")
        .start()
        .await;
    let mut session = server.session().await;
    let input = json!({"questions": [{"question": "Which?", "header": "Which", "multiSelect": false,
        "options": [{"label": "A", "description": "a"}, {"label": "B", "description": "b"}]}]});
    session.say(Script::new(crate::support::tool("toolu_q", "AskUserQuestion", &input)).then("done")).await;
    let error = session.until("error").await;
    assert_eq!(receiver.one("error").await.json()["data"]["event"], error.data);
    session.until("result").await;
    assert_eq!(session.client.delete(&session.id).await.status, 204);

    let server = hooked(Server::builder(), &receiver).option("--webhook-events", "prompts").start().await;
    let mut session = server.session().await;
    session.say(Script::new(crate::support::tool("toolu_q", "AskUserQuestion", &input)).then("done")).await;
    let question = session.until("ask_user_question").await;
    assert_eq!(receiver.one("ask_user_question").await.json()["data"]["event"], question.data);
    session.interrupt().await;
    session.until("result").await;
    let kinds: Vec<_> = receiver.received().iter().map(Received::kind).collect();
    assert!(!kinds.contains(&"result".to_owned()), "{kinds:?}");
}

async fn what_was_not_received_is_sent_again_after_kill_9_under_the_same_id(place: Place) {
    let receiver = Receiver::start(Mode::Answer(500)).await;
    let server = hooked(place.server(), &receiver).start().await;
    let mut session = server.session().await;
    session.turn("one").await;
    let refused = receiver.until("two attempts", 2, |_| true).await;
    assert_eq!(refused[0].id(), refused[1].id());
    let log = server.log();
    assert!(log.contains("a webhook was not received; it is tried again"), "{log}");
    assert!(!log.contains(&receiver.url()) && !log.contains("whsec_"), "{log}");

    // Killed while it waits for the next attempt, then in the middle of one.
    receiver.answer(Mode::Hang);
    let before = receiver.received().len();
    let server = server.kill().start().await;
    receiver.until("an attempt that hangs", before + 1, |_| true).await;
    receiver.answer(Mode::Answer(200));
    let before = receiver.received().len();
    let server = server.kill().start().await;
    let all = receiver.until("the last attempt", before + 1, |_| true).await;
    assert!(all.iter().all(|one| one.id() == refused[0].id() && one.body == refused[0].body), "{all:#?}");
    assert_eq!(verified(&[(SECRET, all.last().unwrap())]).await, [true]);

    // It is not sent any more: the next event is the next webhook.
    let mut session = server.session().await;
    session.turn("two").await;
    let next = receiver.until("the next one", 1, |one| one.id() != refused[0].id()).await;
    assert_eq!(next[0].json()["data"]["session_id"], session.id);
    assert_eq!(receiver.received().len(), before + 2);
}

#[tokio::test]
async fn a_stop_gives_what_is_under_way_to_the_next_server() {
    let receiver = Receiver::start(Mode::Hang).await;
    let server = hooked(Server::builder(), &receiver).start().await;
    let mut session = server.session().await;
    session.turn("one").await;
    let first = receiver.one("result").await;
    let server = server.stop();
    receiver.answer(Mode::Answer(200));
    let server = server.start().await;
    let again = receiver.until("the next attempt", 2, |_| true).await;
    assert_eq!(again[1].id(), first.id());
    drop(server);
}

#[tokio::test]
async fn a_receiver_that_hangs_holds_no_session_up() {
    let receiver = Receiver::start(Mode::Hang).await;
    let server = hooked(Server::builder(), &receiver).start().await;
    let mut session = server.session().await;
    let turns = 20;
    for turn in 0..turns {
        session.turn(format!("turn {turn}")).await;
    }
    receiver.answer(Mode::Answer(200));
    let ids = || receiver.received().iter().map(|one| one.id().to_owned()).collect::<BTreeSet<_>>().len();
    let deadline = Instant::now() + 3 * PATIENCE;
    while ids() < turns {
        assert!(Instant::now() < deadline, "{:#?}", receiver.received());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn one_that_nobody_receives_is_given_up_logged_and_counted() {
    let receiver = Receiver::start(Mode::Answer(307)).await;
    let server = hooked(Server::builder(), &receiver).option("--webhook-retry", "2s").start().await;
    let mut session = server.session().await;
    session.turn("one").await;
    eventually("it is given up", async || server.log().contains("a webhook is given up")).await;
    let metrics = server.client().get("/metrics").await;
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    let lost = "agent_webkit_webhooks_lost_total{reason=\"given_up\"} 1";
    assert!(metrics.contains(lost), "{metrics}");
    assert!(metrics.contains("agent_webkit_webhook_attempts_total{outcome=\"failed\"}"), "{metrics}");
    assert!(!metrics.contains("agent_webkit_webhook_attempts_total{outcome=\"delivered\"}"), "{metrics}");
    let attempts = receiver.received().len();
    assert!(attempts >= 1, "{attempts}");
    assert!(receiver.received().iter().all(|one| one.path == "/hook"), "a redirect is not followed");
    receiver.answer(Mode::Answer(410));
    session.turn("two").await;
    eventually("a receiver is gone", async || server.log().contains("the receiver answered 410")).await;
}
