//! Outages of Postgres.

use std::time::{Duration, Instant};

use http::StatusCode;
use tokio::task::JoinSet;

use crate::{
    place::Place,
    reader::Reader,
    support::{Client, Script, Server, postgres::Cluster, processes::resident_kib},
};

/// Several times the length of a lease.
const OUTAGE: Duration = Duration::from_secs(12);
const SESSIONS: usize = 3;
/// Far above the 32 MiB that may wait for the database, and far below unbounded growth.
const GROWTH_KIB: u64 = 128 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_pause_while_postgres_is_away() {
    let mut cluster = Cluster::start();
    let place = Place::Postgres(cluster.database().await);
    let server = place.server().start().await;
    let mut sessions = JoinSet::new();
    let mut ids = Vec::new();
    for n in 0..SESSIONS {
        let mut reader = Reader::create(server.client()).await;
        reader.say("word", format!("The word is heliotrope{n}.")).await;
        reader.until("result").await;
        reader.say("slow", Script::slow(1800, 10).to_string()).await;
        reader.until("message_delta").await;
        ids.push(reader.id.clone());
        sessions.spawn(reads_on(reader, format!("heliotrope{n}")));
    }
    let mut watchers = JoinSet::new();
    for id in &ids {
        let mut watcher = Reader::of(server.client(), id);
        watchers.spawn(async move {
            watcher.until("result").await;
            watcher.until("result").await;
            watcher
        });
    }

    let before = resident_kib(server.pid());
    cluster.stop();
    let most = during_the_outage(&server, &server.client()).await;
    cluster.start_again();
    assert!(most < before + GROWTH_KIB, "{before} KiB have become {most} KiB");

    let readers = sessions.join_all().await;
    for watcher in watchers.join_all().await {
        let reader = readers.iter().find(|reader| reader.id == watcher.id).expect("it reads the same");
        assert_eq!(watcher.shown[..], reader.shown[..watcher.shown.len()]);
        assert_eq!(watcher.connections, 1, "its stream paused and did not break");
    }
    assert!(!server.log().contains("another host"), "nobody else is there");
}

/// Checks that the turn ends as usual and the session continues.
async fn reads_on(mut reader: Reader, word: String) -> Reader {
    let result = reader.until("result").await;
    assert_eq!((&result["subtype"], &result["is_error"]), (&"success".into(), &false.into()), "{result:?}");
    let words = reader.shown.iter().filter(|frame| frame.event == "message_delta");
    let said: String = words.filter_map(|frame| frame["delta"]["text"].as_str()).collect();
    assert!(said.ends_with(&(0..1800).map(|n| format!("w{n}")).collect::<Vec<_>>().join(" ")));
    assert!(reader.history("history").await.contains(&word));
    reader.replays().await;
    reader
}

/// Returns the most memory that the server used during the outage.
async fn during_the_outage(server: &Server, client: &Client) -> u64 {
    let until = Instant::now() + OUTAGE;
    let mut most = 0;
    while Instant::now() < until {
        let reply = client.get("/sessions").await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{reply:?}");
        assert!(reply.header("retry-after").is_some() && !reply.detail().is_empty(), "{reply:?}");
        assert_eq!(client.get("/healthz").await.status, StatusCode::OK);
        most = most.max(resident_kib(server.pid()));
    }
    most
}
