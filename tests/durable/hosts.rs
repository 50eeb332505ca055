//! Several hosts on one Postgres, and several servers on one SQLite file.

use std::time::Duration;

use http::StatusCode;
use rustix::process::Signal;
use serde_json::json;
use tokio::task::JoinSet;

use crate::{
    place::{Place, on_both},
    reader::Reader,
    rows::Rows,
    support::{Client, Events, Reply, Script, Server, bash, eventually, processes::agent_of},
};

on_both! {
    of_hosts_that_take_a_session_at_once_one_wins,
    a_graceful_end_hands_the_lease_back_at_once,
    a_session_that_is_deleted_at_another_host_is_gone_for_all,
}

/// Number of agents of a session that this server has started.
fn agents_at(server: &Server, id: &str) -> usize {
    agent_of(id).iter().filter(|agent| agent.parent() == Some(server.pid())).count()
}

fn say(text: &str) -> serde_json::Value {
    json!({"type": "user_message", "content": text})
}

/// Whether the answer is a 503 with a `Retry-After`.
fn is_elsewhere(reply: &Reply) -> bool {
    reply.status == StatusCode::SERVICE_UNAVAILABLE && reply.header("retry-after").is_some()
}

/// Reads to the end of a stream that may break anywhere.
async fn ends(mut events: Events) -> Events {
    while events.try_next().await.is_some() {}
    events
}

#[tokio::test]
async fn a_dead_hosts_session_is_served_by_the_other_at_once() {
    let place = Place::postgres().await;
    // Longer than any timeout in this test.
    let server = place.server().env("AGENT_WEBKIT_LEASE", "120s");
    let [owner, other] = [server.clone().start().await, server.start().await];
    let mut reader = Reader::create(owner.client()).await;
    reader.say("word", "The word is heliotrope.").await;
    reader.until("result").await;
    reader.say("cut", Script::slow(1000, 20).to_string()).await;
    reader.until("message_delta").await;
    let path = format!("/sessions/{}", reader.id);
    assert_eq!(other.client().get(&path).await.json()["status"], "running");

    drop(owner.kill());
    reader.move_to(other.client());
    // The database needs a moment to notice that the host is gone.
    let idle = async || other.client().get(&path).await.json()["status"] == "idle";
    eventually("the session is restored", idle).await;
    let result = reader.until("result").await;
    assert_eq!(result["terminal_reason"], "server_restart");
    assert!(reader.history("history").await.contains("heliotrope"));
    reader.replays().await;
    eventually("the end of the dead host's agent", async || agent_of(&reader.id).len() == 1).await;
}

/// On one machine it is known which processes are alive, so nobody waits for a lease to expire.
#[tokio::test]
async fn a_killed_servers_sqlite_session_is_served_by_the_other_at_once() {
    let [owner, other] = Place::Sqlite.two_servers().await;
    let mut reader = Reader::create(owner.client()).await;
    reader.say("word", "The word is heliotrope.").await;
    reader.until("result").await;
    let second = Reader::create(owner.client()).await;
    reader.say("cut", Script::slow(1000, 20).to_string()).await;
    reader.until("message_delta").await;
    let seen = other.client().get(&format!("/sessions/{}", reader.id)).await;
    assert_eq!(seen.json()["status"], "running");

    drop(owner.kill());
    for id in [&reader.id, &second.id] {
        assert_eq!(other.client().get(&format!("/sessions/{id}")).await.status, StatusCode::OK);
    }
    reader.move_to(other.client());
    assert_eq!(reader.until("result").await["terminal_reason"], "server_restart");
    assert!(reader.history("history").await.contains("heliotrope"));
    reader.replays().await;
}

/// The new server starts before the old one ends, both with the same database.
#[tokio::test]
async fn a_deploy_may_overlap() {
    let server = Server::builder();
    let old = server.clone().start().await;
    let mut reader = Reader::create(old.client()).await;
    reader.say("word", "The word is heliotrope.").await;
    reader.until("result").await;
    let new = server.start().await;
    let created_meanwhile = Reader::create(new.client()).await;
    let listed = new.client().get("/sessions").await.json();
    assert_eq!(listed["sessions"].as_array().map(Vec::len), Some(2), "{listed}");

    old.stop();
    reader.move_to(new.client());
    assert!(reader.history("history").await.contains("heliotrope"));
    assert_eq!(agents_at(&new, &created_meanwhile.id), 1);
    reader.replays().await;
}

#[tokio::test]
async fn a_frozen_host_writes_nothing_when_it_is_thawed() {
    let place = Place::postgres().await;
    let [owner, other] = place.two_servers().await;
    let rows = Rows::of(&place).await;
    let mut reader = Reader::create(owner.client()).await;
    reader.say("word", "The word is heliotrope.").await;
    reader.until("result").await;
    let witness = owner.client().events(&reader.id).await;
    // Each step has events for readers and entries for the transcript.
    let steps = (0..300).map(|n| json!([format!("frozen {n}."), bash(&format!("toolu_{n}"), "echo frozen")]));
    reader.say("slow", steps.fold(Script::default(), Script::then).pace(20).to_string()).await;
    reader.until("tool_result").await;

    owner.signal(Signal::STOP);
    reader.move_to(other.client());
    assert_eq!(reader.until("result").await["terminal_reason"], "server_restart");
    assert!(reader.history("history").await.contains("heliotrope"));
    // The agent of the frozen host has continued meanwhile, so there are entries to write.
    assert_eq!(agents_at(&owner, &reader.id), 1);

    let before = rows.all(&reader.id).await;
    owner.signal(Signal::CONT);
    // Until it knows that the session has moved, it says nothing of what the new host has sent.
    let ahead = owner.client().stream(&reader.id, Some(&reader.last_id().to_string())).await;
    let status = ahead.status();
    assert!(status == StatusCode::OK || is_elsewhere(&Reply::from(ahead).await), "{status}");
    let said_at_once = owner.client().input(&reader.id, &say("to the host that woke up")).await;
    let is_taken = said_at_once.status == StatusCode::NO_CONTENT;
    assert!(is_taken || is_elsewhere(&said_at_once), "{said_at_once:?}");
    if is_taken {
        reader.until("result").await;
    }
    let witness = ends(witness).await;
    assert!(witness.seen.iter().all(|frame| frame.event != "done"), "the session is not over");
    eventually("the end of its agent", async || agents_at(&owner, &reader.id) == 0).await;
    let now = rows.all(&reader.id).await;
    assert!(now.events.starts_with(&before.events), "what was there is changed");
    if !is_taken {
        assert_eq!(now.events, before.events);
    }
    // The new host's agent may still add transcript entries of its last turn.
    assert!(now.transcript.starts_with(&before.transcript), "what was there is changed");
    let added = &now.transcript[before.transcript.len()..];
    assert!(added.iter().all(|entry| !entry.contains("frozen")), "{added:?}");
    // It serves the session as any other host does.
    let later = owner.client().input(&reader.id, &say("later")).await;
    assert_eq!(later.status, StatusCode::NO_CONTENT, "{later:?}");
    reader.until("result").await;
    let mut at_the_frozen = Reader::of(owner.client(), &reader.id);
    while at_the_frozen.last_id() < reader.last_id() {
        at_the_frozen.next().await;
    }
    assert!(
        at_the_frozen.shown.iter().map(|frame| &frame.raw).eq(reader.shown.iter().map(|frame| &frame.raw))
    );

    reader.say("on", "It goes on here.").await;
    reader.until("result").await;
    let after = rows.all(&reader.id).await;
    assert!(after.events.starts_with(&before.events), "what was there is changed");
    assert!(after.transcript.starts_with(&before.transcript), "what was there is changed");
    // Not before: the history echoes the message of the frozen turn, if its transcript entry was stored in time.
    assert!(after.events[before.events.len()..].iter().all(|event| !event.contains("frozen")));
    assert!(agent_of(&reader.id).len() == 1 && agents_at(&other, &reader.id) == 1);
    reader.replays().await;
}

async fn of_hosts_that_take_a_session_at_once_one_wins(place: Place) {
    let server = place.server();
    let first = server.clone().start().await;
    let mut reader = Reader::create(first.client()).await;
    reader.say("word", "The word is heliotrope.").await;
    reader.until("result").await;
    first.stop();
    let hosts = [server.clone().start().await, server.start().await];
    let clients: Vec<Client> = hosts.iter().map(Server::client).collect();

    let mut posts = JoinSet::new();
    for n in 0..40 {
        let (client, id) = (clients[n % 2].clone(), reader.id.clone());
        posts.spawn(async move { (n, client.input(&id, &say(&format!("number {n}."))).await) });
    }
    let mut answers = posts.join_all().await;
    answers.sort_by_key(|(n, _)| *n);
    let mut taken = Vec::new();
    for (n, reply) in &answers {
        assert_eq!(reply.status, StatusCode::NO_CONTENT, "{reply:?}");
        taken.push(*n);
    }
    let agents = [agents_at(&hosts[0], &reader.id), agents_at(&hosts[1], &reader.id)];
    assert!(agents == [1, 0] || agents == [0, 1], "one host runs it: {agents:?}");

    reader.move_to(clients[agents[0]].clone());
    let mut told: Vec<usize> = Vec::new();
    for _ in &taken {
        let text = reader.until("user_message").await["content"].as_str().expect("a text").to_owned();
        told.push(text.trim_matches(|c: char| !c.is_ascii_digit()).parse().expect("its number"));
    }
    told.sort_unstable();
    assert_eq!(told, taken, "each is told once");
    reader.until("result").await;
    assert_eq!(agent_of(&reader.id).len(), 1);
}

async fn a_graceful_end_hands_the_lease_back_at_once(place: Place) {
    // Longer than any timeout in this test.
    let server = place.server().env("AGENT_WEBKIT_LEASE", "60s");
    let (owner, other) = (server.clone().start().await, server.start().await);
    let mut reader = Reader::create(owner.client()).await;
    reader.say("word", "The word is heliotrope.").await;
    reader.until("result").await;
    reader.say("cut", Script::slow(1000, 20).to_string()).await;
    reader.until("message_delta").await;
    let (mut reader, _) = tokio::join!(
        async {
            reader.until("result").await;
            reader.move_to(other.client());
            reader
        },
        tokio::task::spawn_blocking(|| owner.stop()),
    );
    assert!(reader.history("history").await.contains("heliotrope"));
    reader.replays().await;
}

async fn a_session_that_is_deleted_at_another_host_is_gone_for_all(place: Place) {
    let [owner, other] = place.two_servers().await;
    let mut reader = Reader::create(owner.client()).await;
    reader.say("slow", Script::slow(10_000, 20).to_string()).await;
    reader.until("message_delta").await;
    let watching = owner.client().events(&reader.id).await;

    assert_eq!(other.client().delete(&reader.id).await.status, StatusCode::NO_CONTENT);
    tokio::time::timeout(Duration::from_secs(20), ends(watching)).await.expect("its streams end");
    eventually("the end of its agent", async || agent_of(&reader.id).is_empty()).await;
    for client in [owner.client(), other.client()] {
        assert_eq!(client.get(&format!("/sessions/{}", reader.id)).await.status, StatusCode::NOT_FOUND);
        assert_eq!(client.input(&reader.id, &say("hello")).await.status, StatusCode::NOT_FOUND);
    }
    if let Place::Postgres(_) = &place {
        let rows = Rows::of(&place).await;
        eventually("the end of its rows", async || rows.all(&reader.id).await.is_empty()).await;
    }
}
