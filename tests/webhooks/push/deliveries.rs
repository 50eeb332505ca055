//! What is sent, and what happens when it is not taken.

use std::time::{Duration, Instant, UNIX_EPOCH};

use super::{CONTACT, opened, public_key, pushing, subscribed};
use crate::{
    place::{Place, on_both},
    receiver::{Mode, Receiver},
    support::{Script, Server, bash, eventually},
};

on_both! { what_was_not_taken_is_sent_again_after_kill_9_under_the_same_id }

#[tokio::test]
async fn a_prompt_its_end_and_a_result_come_encrypted_and_signed() {
    let service = Receiver::start(Mode::Answer(201)).await;
    let server = pushing(Server::builder(), &service).start().await;
    let key = public_key(&server.client()).await;
    subscribed(&server.client(), &service, "phone").await;
    let mut session = server.session().await;
    session.say(Script::new(bash("toolu_1", "touch made")).then("It is made.")).await;
    let request = session.until("permission_request").await;
    let asked = service.until("the prompt", 1, |_| true).await.remove(0);
    session.allow(&request).await;
    session.until("result").await;
    let all = service.until("all of it", 3, |_| true).await;

    let read = opened(&all, &key).await;
    let of = |title: &str| {
        let at = read.iter().position(|one| one["notification"]["title"] == title);
        at.unwrap_or_else(|| panic!("no {title} in {read:#?}"))
    };
    let [prompt, end, result] = [of("Allow Bash?"), of("Allowed"), of("Done")];
    assert_eq!(prompt, 0);
    let notification = &read[prompt]["notification"];
    assert_eq!(notification["body"], "touch made");
    assert_eq!(
        (&notification["session_id"], &notification["settled"]),
        (&session.id.clone().into(), &false.into())
    );
    assert_eq!(read[end]["notification"]["settled"], true);
    assert_eq!(read[end]["notification"]["tag"], notification["tag"]);
    assert_ne!(read[result]["notification"]["tag"], notification["tag"]);
    assert_eq!(read[result]["notification"]["body"], "It is made.");

    let claims = &read[prompt]["claims"];
    assert_eq!((&claims["aud"], &claims["sub"]), (&service.origin().into(), &CONTACT.into()));
    let left = claims["exp"].as_u64().unwrap() - UNIX_EPOCH.elapsed().unwrap().as_secs();
    assert!((1..=24 * 3600).contains(&left), "{left}");

    assert_eq!(asked.path, "/phone");
    for (name, value) in [("content-encoding", "aes128gcm"), ("urgency", "high")] {
        assert_eq!(asked.headers[name], value);
    }
    assert_eq!(asked.headers["topic"], notification["tag"].as_str().unwrap());
    assert!(asked.headers["ttl"].parse::<u64>().unwrap() > 23 * 3600);
    assert_eq!(all[result].headers["urgency"], "normal");

    let [mut altered, mut forged] = [asked.clone(), asked.clone()];
    let last = altered.body.pop().unwrap();
    altered.body.push(if last == 'A' { 'E' } else { 'A' });
    forged
        .headers
        .insert("authorization".into(), asked.headers["authorization"].replacen("t=eyJ0", "t=eyJ1", 1));
    let refused = opened(&[altered, forged], &key).await;
    assert!(refused.iter().all(|one| one["error"].is_string()), "{refused:?}");
    let other = public_key(&pushing(Server::builder(), &service).start().await.client()).await;
    assert!(opened(&[asked], &other).await[0]["error"].is_string());
}

async fn what_was_not_taken_is_sent_again_after_kill_9_under_the_same_id(place: Place) {
    let service = Receiver::start(Mode::Answer(503)).await;
    let server = pushing(place.server(), &service).start().await;
    let key = public_key(&server.client()).await;
    subscribed(&server.client(), &service, "phone").await;
    let mut session = server.session().await;
    session.turn("one").await;
    service.until("two attempts", 2, |_| true).await;

    // Killed while it waits for the next attempt, then in the middle of one.
    service.answer(Mode::Hang);
    let before = service.received().len();
    let server = server.kill().start().await;
    service.until("an attempt that hangs", before + 1, |_| true).await;
    service.answer(Mode::Answer(201));
    let before = service.received().len();
    let server = server.kill().start().await;
    service.until("the last attempt", before + 1, |_| true).await;
    assert_eq!(public_key(&server.client()).await, key, "the key is kept");

    // It is not sent any more: the next event is the next push.
    let mut next = server.session().await;
    next.turn("two").await;
    let all = service.until("the next one", before + 2, |_| true).await;
    let read = opened(&all, &key).await;
    let of = |at: usize, name: &str| {
        read[at]["notification"][name].as_str().unwrap_or_else(|| panic!("{read:#?}"))
    };
    let first = of(0, "id");
    assert!(
        (0..=before).all(|at| of(at, "id") == first && of(at, "tag") == all[0].headers["topic"]),
        "{read:#?}"
    );
    assert_eq!((of(before + 1, "session_id"), of(before + 1, "id") == first), (&*next.id, false));
    assert_eq!(all.len(), before + 2);
}

#[tokio::test]
async fn what_was_answered_before_it_could_be_sent_is_not_asked_any_more() {
    let service = Receiver::start(Mode::Later(2)).await;
    let server = pushing(Server::builder(), &service).start().await;
    subscribed(&server.client(), &service, "phone").await;
    let mut session = server.session().await;
    session.say(Script::new(bash("toolu_1", "touch made")).then("done")).await;
    let request = session.until("permission_request").await;
    service.until("the prompt", 1, |_| true).await;
    session.allow(&request).await;
    session.until("result").await;
    service.answer(Mode::Answer(201));
    let before = service.received().len();
    let key = public_key(&server.client()).await;
    let titles = async || {
        let read = opened(&service.received()[before..], &key).await;
        read.iter().map(|one| one["notification"]["title"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    eventually("the result", async || titles().await.contains(&"Done".to_owned())).await;
    // What was asked is due by now, or would come before this.
    session.say(Script::new(bash("toolu_2", "touch more")).then("done")).await;
    let request = session.until("permission_request").await;
    eventually("the second prompt", async || titles().await.contains(&"Allow Bash?".to_owned())).await;
    session.allow(&request).await;
    session.until("result").await;
    eventually("the second result", async || {
        titles().await.iter().filter(|title| *title == "Done").count() == 2
    })
    .await;
    assert_eq!(titles().await.iter().filter(|title| *title == "Allow Bash?").count(), 1);
}

#[tokio::test]
async fn a_device_that_is_gone_is_forgotten_and_the_others_are_not() {
    let [gone, stays] = [Receiver::start(Mode::Answer(410)).await, Receiver::start(Mode::Answer(201)).await];
    let builder = pushing(Server::builder(), &gone).option("--push-service", stays.origin());
    let server = builder.start().await;
    subscribed(&server.client(), &gone, "old").await;
    subscribed(&server.client(), &stays, "new").await;
    let mut session = server.session().await;
    session.turn("one").await;
    eventually("it is forgotten", async || server.log().contains("a device takes no more notifications"))
        .await;
    session.turn("two").await;
    stays.until("both", 2, |_| true).await;
    assert_eq!(gone.received().len(), 1);
    assert!(!server.log().contains("is given up"), "{}", server.log());
}

#[tokio::test]
async fn a_service_that_asks_for_a_pause_gets_it_and_one_that_refuses_is_left() {
    let service = Receiver::start(Mode::Later(3)).await;
    let server = pushing(Server::builder(), &service).start().await;
    subscribed(&server.client(), &service, "phone").await;
    let mut session = server.session().await;
    session.turn("one").await;
    service.until("the first attempt", 1, |_| true).await;
    let since = Instant::now();
    service.until("the second attempt", 2, |_| true).await;
    // Without the pause it would come after a second.
    assert!(since.elapsed() > Duration::from_millis(2500), "{:?}", since.elapsed());
    service.answer(Mode::Answer(201));
    service.until("the third attempt", 3, |_| true).await;

    service.answer(Mode::Answer(307));
    session.turn("two").await;
    let refused = || server.log().contains("a push is given up: the push service answered 307");
    eventually("it is given up", async || refused()).await;
    let received = service.received();
    assert_eq!(received.len(), 4);
    assert!(received.iter().all(|one| one.path == "/phone"), "a redirect is not followed");
    let metrics = server.client().get("/metrics").await;
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    for counted in [
        "agent_webkit_pushes_lost_total{reason=\"given_up\"} 1",
        "agent_webkit_push_attempts_total{outcome=\"delivered\"} 1",
        "agent_webkit_push_attempts_total{outcome=\"failed\"} 3",
    ] {
        assert!(metrics.contains(counted), "{counted}: {metrics}");
    }
}
