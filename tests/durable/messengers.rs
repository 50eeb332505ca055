//! What carries hints between hosts: how they go, and what is left when they are lost.

use http::StatusCode;
use serde_json::json;

use crate::{
    place::Place,
    reader::Reader,
    support::{Client, Script, eventually},
};

/// The value of a metric, zero if it has none yet.
async fn metric(client: &Client, name: &str) -> f64 {
    let text = String::from_utf8(client.get("/metrics").await.body.to_vec()).expect("text");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().expect("a number"))
}

const HEARD: &str = r#"agent_webkit_hints_total{outcome="heard"}"#;
const SENT: &str = r#"agent_webkit_hints_total{outcome="sent"}"#;
const HEARS: &str = "agent_webkit_hints_heard";

async fn input(client: &Client, id: &str, text: &str) {
    let reply = client.input(id, &json!({"type": "user_message", "content": text})).await;
    assert_eq!(reply.status, StatusCode::NO_CONTENT, "{reply:?}");
}

/// NATS is stopped in the middle of a turn and comes back: nothing is lost, and hints are heard again.
#[tokio::test]
async fn a_nats_server_that_stops_costs_time_alone() {
    let Some(mut place) = Place::nats().await else { return };
    let [owner, other] = place.two_servers().await;
    let clients = [owner.client(), other.client()];
    let hear = async |hears: f64| {
        for client in &clients {
            eventually("whether they hear", async || metric(client, HEARS).await == hears).await;
        }
    };
    hear(1.0).await;
    let reader = Reader::create(owner.client()).await;
    let mut elsewhere = Reader::of(other.client(), &reader.id);
    elsewhere.until("session_ready").await;
    input(&clients[1], &reader.id, &Script::slow(400, 20).to_string()).await;
    elsewhere.until("message_delta").await;
    assert!(metric(&clients[1], HEARD).await > 0.0 && metric(&clients[1], SENT).await > 0.0);
    assert!(metric(&clients[0], HEARD).await > 0.0 && metric(&clients[0], SENT).await > 0.0);

    let Place::Nats(_, nats) = &mut place else { unreachable!() };
    nats.stop();
    hear(0.0).await;
    elsewhere.until("message_delta").await;
    input(&clients[1], &reader.id, "while it is away").await;
    assert_eq!(elsewhere.until("user_message").await["content"], "while it is away");
    assert_eq!(elsewhere.until("result").await["subtype"], "success");
    elsewhere.until("result").await;

    nats.start_again();
    hear(1.0).await;
    let heard = metric(&clients[1], HEARD).await;
    input(&clients[1], &reader.id, "when it is back").await;
    assert_eq!(elsewhere.until("user_message").await["content"], "when it is back");
    elsewhere.until("result").await;
    assert!(metric(&clients[1], HEARD).await > heard);

    // A second outage, in which the owner dies.
    nats.stop();
    hear(0.0).await;
    drop(owner.kill());
    input(&clients[1], &reader.id, "on").await;
    assert_eq!(elsewhere.until("user_message").await["content"], "on");
    elsewhere.until("result").await;
    assert_eq!(elsewhere.connections, 1);
    elsewhere.replays().await;
}

/// Servers start and serve without the messenger that they are to use.
#[tokio::test]
async fn a_nats_server_may_start_later() {
    let Some(mut place) = Place::nats().await else { return };
    let Place::Nats(_, nats) = &mut place else { unreachable!() };
    nats.stop();
    let [owner, other] = place.two_servers().await;
    let mut reader = Reader::create(owner.client()).await;
    input(&other.client(), &reader.id, "hello").await;
    reader.until("result").await;
    let Place::Nats(_, nats) = &mut place else { unreachable!() };
    nats.start_again();
    for client in [owner.client(), other.client()] {
        eventually("a connection", async || metric(&client, HEARS).await == 1.0).await;
    }
    // What the hosts wait for is said to the server once it is there.
    let mut elsewhere = Reader::of(other.client(), &reader.id);
    elsewhere.until("result").await;
    input(&other.client(), &reader.id, "again").await;
    elsewhere.until("result").await;
    assert!(metric(&owner.client(), HEARD).await > 0.0 && metric(&other.client(), HEARD).await > 0.0);
}

/// Hints name the streams that a host follows: others are not sent to it.
#[tokio::test]
async fn a_host_hears_of_no_stream_that_it_does_not_follow() {
    let Some(place) = Place::nats().await else { return };
    let server = place.server();
    let [owner, follows, idle] =
        [server.clone().start().await, server.clone().start().await, server.start().await];
    for server in [&owner, &follows, &idle] {
        eventually("a connection", async || metric(&server.client(), HEARS).await == 1.0).await;
    }
    let reader = Reader::create(owner.client()).await;
    let mut elsewhere = Reader::of(follows.client(), &reader.id);
    elsewhere.until("session_ready").await;
    input(&owner.client(), &reader.id, &Script::slow(300, 5).to_string()).await;
    elsewhere.until("result").await;
    let sent = metric(&owner.client(), SENT).await;
    let heard = metric(&follows.client(), HEARD).await;
    // Every host hears which streams are followed.
    let heard_by_idle = metric(&idle.client(), HEARD).await;
    let said_by_follower = metric(&follows.client(), SENT).await;
    assert!(sent > 10.0 && heard > 10.0, "{sent} {heard}");
    assert!(heard_by_idle <= said_by_follower, "{heard_by_idle} {said_by_follower}");
}

/// A proxy drops what Postgres notifies: hosts look at the database instead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_notifications_cost_time_alone() {
    let place = Place::deaf().await;
    let [owner, other] = place.two_servers().await;
    let mut reader = Reader::create(owner.client()).await;
    let mut elsewhere = Reader::of(other.client(), &reader.id);
    elsewhere.until("session_ready").await;
    for n in 0..3 {
        input(&other.client(), &reader.id, &format!("number {n}")).await;
        assert_eq!(elsewhere.until("user_message").await["content"], format!("number {n}"));
        elsewhere.until("result").await;
    }
    reader.until("result").await;
    let Place::Deaf(_, way) = &place else { unreachable!() };
    assert!(way.dropped() > 0);
    for client in [owner.client(), other.client()] {
        assert_eq!(metric(&client, HEARD).await, 0.0);
        assert_eq!(metric(&client, HEARS).await, 1.0, "it listens");
    }
    drop(owner.kill());
    input(&other.client(), &reader.id, "on").await;
    assert_eq!(elsewhere.until("user_message").await["content"], "on");
    elsewhere.until("result").await;
    assert_eq!(elsewhere.connections, 1);
    elsewhere.replays().await;
}
