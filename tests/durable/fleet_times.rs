//! Measures what several hosts cost in time, for benches/RESULTS.md. It asserts nothing, so it is ignored by default:
//! `scripts/postgres.sh cargo nextest run --all-features -E 'test(fleet_times)' --run-ignored only --no-capture`.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use http::{Method, StatusCode};
use serde_json::json;

use crate::{
    place::Place,
    reader::Reader,
    support::{Client, Events, Script, Server},
};

const RESTARTS: usize = 20;

/// Words of a turn whose deltas are compared, and the milliseconds between them.
const WORDS: usize = 1000;
const PACE: u64 = 10;

/// From `kill -9` until a restarted server accepts a message for its session again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a test"]
async fn from_a_kill_to_the_next_answer() {
    let place = Place::postgres().await;
    let mut server = place.server().env("AGENT_WEBKIT_LEASE", "15s").start().await;
    let reader = Reader::create(server.client()).await;
    let path = format!("/sessions/{}/input", reader.id);
    let body = json!({"type": "user_message", "content": "hello"}).to_string();
    let (mut all, mut from_start) = (Vec::new(), Vec::new());
    for _ in 0..RESTARTS {
        let builder = server.kill();
        let killed_at = Instant::now();
        server = builder.start().await;
        let started_at = Instant::now();
        let client = server.client();
        while client.try_send(Method::POST, &path, &[], body.clone()).await.map(|answer| answer.status())
            != Some(StatusCode::NO_CONTENT)
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        all.push(killed_at.elapsed());
        from_start.push(started_at.elapsed());
    }
    println!("| from `kill -9` to | median of {RESTARTS} | worst |\n|---|--:|--:|");
    for (what, mut times) in [
        ("a message accepted after an immediate restart", all),
        ("of it, after the restarted server listens", from_start),
    ] {
        times.sort_unstable();
        println!("| {what} | {:.0?} | {:.0?} |", times[times.len() / 2], times[times.len() - 1]);
    }
}

/// How much later an event reaches a reader of another host than one of the session's own host.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a test"]
async fn what_a_follower_adds() {
    println!(
        "| {WORDS} deltas, {PACE} ms apart, each to two readers | p50 | p90 | p99 | worst |\n|---|--:|--:|--:|--:|"
    );
    let notifications = Place::postgres().await;
    let Some(nats) = Place::nats().await else { return };
    let polls = Place::deaf().await;
    for (what, place) in [("Postgres' notifications", notifications), ("NATS", nats), ("polls alone", polls)]
    {
        let [owner, other] = place.two_servers().await;
        let mut reader = Reader::create(owner.client()).await;
        let ways = [owner.client(), owner.client(), other.client()];
        let mut seen = Vec::new();
        for client in ways {
            let events = client.events(&reader.id).await;
            seen.push(tokio::spawn(arrivals(events)));
        }
        reader.until("session_ready").await;
        tell(&owner, &reader, seen, what).await;
    }
}

async fn tell(
    owner: &Server,
    reader: &Reader,
    seen: Vec<tokio::task::JoinHandle<BTreeMap<u64, Instant>>>,
    what: &str,
) {
    let message = json!({"type": "user_message", "content": Script::slow(WORDS, PACE).to_string()});
    let client: Client = owner.client();
    assert_eq!(client.input(&reader.id, &message).await.status, StatusCode::NO_CONTENT);
    let mut arrived = Vec::new();
    for reading in seen {
        arrived.push(reading.await.expect("a reader"));
    }
    for (way, number) in [("a second reader of the owner", 1), (what, 2)] {
        let mut later: Vec<f64> = arrived[0]
            .iter()
            .filter_map(|(id, first)| {
                let second = arrived[number].get(id)?;
                Some(
                    1000.0
                        * (second.saturating_duration_since(*first).as_secs_f64()
                            - first.saturating_duration_since(*second).as_secs_f64()),
                )
            })
            .collect();
        later.sort_by(f64::total_cmp);
        let at = |part: f64| later[((later.len() - 1) as f64 * part) as usize];
        println!(
            "| {way}: later than the owner's first reader, ms | {:.2} | {:.2} | {:.2} | {:.2} |",
            at(0.5),
            at(0.9),
            at(0.99),
            at(1.0)
        );
    }
}

/// When each delta of the turn arrived.
async fn arrivals(mut events: Events) -> BTreeMap<u64, Instant> {
    let mut arrivals = BTreeMap::new();
    loop {
        let frame = events.next().await.expect("the turn ends");
        match &*frame.event {
            "message_delta" => drop(arrivals.insert(frame.id.expect("numbered"), Instant::now())),
            "result" => return arrivals,
            _ => {}
        }
    }
}
