//! Outages of the database, and connections that break.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use agent_webkit::{
    layers::resume::{AppendError, Batch, Cursor, Event, EventLog, EventStream, RingConfig, TailError},
    storage::{
        Storage, StorageConfig,
        database::Database,
        events::{DurableConfig, DurableLog, DurableStream, Part},
    },
};
use sqlx::{Connection, PgConnection};

use crate::{
    place::{Place, on_both},
    postgres::{Cluster, TestDatabase},
    reader::{PATIENCE, Reader, eventually, frames, numbers},
};

fn little_memory() -> DurableConfig {
    DurableConfig::default().recent(RingConfig::default().window_events(20))
}

async fn opened(log: &DurableLog, streams: usize) -> Vec<DurableStream> {
    let mut opened = Vec::new();
    for n in 0..streams {
        opened.push(log.open(&n.to_string()).await.unwrap());
    }
    opened
}

/// Appends until `stop` is set and returns the last sequence number.
async fn load(stream: DurableStream, stop: Arc<AtomicBool>) -> u64 {
    let mut next = 1;
    while !stop.load(Ordering::Relaxed) {
        let batch = next..=next + next % 5;
        assert_eq!(stream.append(numbers(batch.clone())).await.unwrap(), batch);
        next = batch.end() + 1;
    }
    stream.close();
    next - 1
}

struct Load {
    stop: Arc<AtomicBool>,
    writers: Vec<tokio::task::JoinHandle<u64>>,
    readers: Vec<tokio::task::JoinHandle<Vec<crate::reader::Item>>>,
}

impl Load {
    async fn start(streams: &[DurableStream]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut readers = Vec::new();
        for stream in streams {
            let mut reader = Reader::attach(stream, Cursor::Oldest).await;
            readers.push(tokio::spawn(async move { reader.rest().await }));
        }
        let writers =
            streams.iter().map(|stream| tokio::spawn(load(stream.clone(), Arc::clone(&stop)))).collect();
        Self { stop, writers, readers }
    }

    /// Checks that no event was lost or doubled, neither for the readers nor in the database.
    async fn end(self, place: &Place) {
        self.stop.store(true, Ordering::Relaxed);
        let log = place.log(DurableConfig::default());
        for (n, (writer, reader)) in self.writers.into_iter().zip(self.readers).enumerate() {
            let last = tokio::time::timeout(PATIENCE, writer).await.unwrap().unwrap();
            let everything = frames(1..=last);
            assert!(reader.await.unwrap() == everything);
            let stored = log.find(&n.to_string()).await.unwrap().unwrap();
            assert_eq!(stored.bounds().last, last);
            assert!(Reader::attach(&stored, Cursor::Oldest).await.rest().await == everything);
        }
    }
}

fn last_of_all(streams: &[DurableStream]) -> u64 {
    streams.iter().map(|stream| stream.bounds().last).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_wait_for_a_server_that_is_away_for_seconds_and_none_is_lost_or_doubled() {
    let mut cluster = Cluster::start();
    let place = Place::on(cluster.database().await).await;
    let log = place.log(little_memory());
    let streams = opened(&log, 6).await;
    let load = Load::start(&streams).await;
    eventually("some events", async || last_of_all(&streams) > 300).await;

    cluster.stop();
    let away = Instant::now();
    // Events in memory can be read. Everything that needs the server fails soon.
    let last = streams[0].bounds().last;
    Reader::attach(&streams[0], Cursor::After(last)).await;
    let (tail, open, find) =
        tokio::join!(streams[0].tail(Cursor::Oldest), log.open("another"), log.find("another"));
    assert!(matches!(tail, Err(TailError::Unavailable(_))));
    assert!(open.is_err() && find.is_err());
    assert!(away.elapsed() < Duration::from_secs(8), "{:?}", away.elapsed());
    tokio::time::sleep_until((away + Duration::from_secs(6)).into()).await;
    let before = last_of_all(&streams);
    cluster.start_again();

    eventually("events after the outage", async || last_of_all(&streams) > before + 300).await;
    load.end(&place).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_cut_again_and_again_lose_and_double_nothing() {
    let database = TestDatabase::new().await;
    let mut killer = PgConnection::connect(database.url()).await.unwrap();
    let place = Place::on(database).await;
    let log = place.log(little_memory());
    let streams = opened(&log, 4).await;
    let load = Load::start(&streams).await;
    let mut cut = 0;
    for round in 0..60 {
        let before = last_of_all(&streams);
        eventually("progress", async || last_of_all(&streams) > before + round % 7).await;
        let killed = sqlx::query(
            "select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and pid <> pg_backend_pid()",
        );
        cut += killed.execute(&mut killer).await.unwrap().rows_affected();
    }
    assert!(cut >= 60, "{cut}");
    load.end(&place).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_no_room_in_the_queue_waits_outside_of_it() {
    let mut cluster = Cluster::start();
    let place = Place::on(cluster.database().await).await;
    let log = place.log(DurableConfig::default().queue_bytes(1 << 20));
    let streams = opened(&log, 40).await;
    cluster.stop();
    let appends: Vec<_> = streams
        .iter()
        .cloned()
        .map(|stream| {
            let event = Event::new("large", vec![b'x'; 200 << 10]);
            tokio::spawn(async move { stream.append(Batch::new(vec![event])).await })
        })
        .collect();
    // No append waits any more: each was either stored or refused.
    for append in &appends {
        tokio::task::yield_now().await;
        append.abort();
    }
    let mut cancelled = 0;
    for append in appends {
        cancelled += usize::from(append.await.is_err_and(|error| error.is_cancelled()));
    }
    assert!(cancelled > 30);
    cluster.start_again();
    streams[0].append(numbers(1..=1)).await.unwrap();
    let stored = place.number("select count(*) from agent_webkit_events where name = 'large'").await;
    assert!(stored <= 5, "{stored} events of 200 KiB were in a queue of 1 MiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_that_lasts_too_long_fails_appends_and_lets_go_of_the_stream() {
    let mut cluster = Cluster::start();
    let place = Place::on(cluster.database().await).await;
    let log = place.log(little_memory().outage(Duration::from_millis(200)));
    let stream = log.open("key").await.unwrap();
    stream.append(numbers(1..=50)).await.unwrap();
    let mut reader = Reader::attach(&stream, Cursor::After(50)).await;
    cluster.stop();
    assert!(matches!(stream.append(numbers(51..=60)).await, Err(AppendError::Unavailable(_))));
    assert_eq!(reader.rest().await, [], "nothing that is not stored is shown");
    assert!(matches!(stream.append(numbers(51..=60)).await, Err(AppendError::Fenced)));
    cluster.start_again();
    let again = log.open("key").await.unwrap();
    assert_eq!(again.append(numbers(51..=60)).await.unwrap(), 51..=60);
    assert_eq!(Reader::attach(&again, Cursor::Oldest).await.until(60).await, frames(1..=60));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_goes_on_after_an_outage() {
    let mut cluster = Cluster::start();
    let place = Place::on(cluster.database().await).await;
    let log = place.log(little_memory());
    let stream = log.open("key").await.unwrap();
    stream.append(numbers(1..=3000)).await.unwrap();
    let mut reader = Reader::attach(&stream, Cursor::Oldest).await;
    // A page.
    reader.until(512).await;
    cluster.stop();
    let rest = tokio::spawn(async move { reader.until(3000).await });
    eventually("a failing page", async || {
        Database::postgres(&cluster.url(), 0, 1).await.is_err() && !rest.is_finished()
    })
    .await;
    cluster.start_again();
    assert_eq!(rest.await.unwrap(), frames(513..=3000));
}

/// On one thread, so that both wait for the same group.
#[tokio::test]
async fn an_event_that_can_never_be_stored_fails_alone() {
    let place = Place::postgres().await;
    // Too long for the index over whole messages.
    let id = |event: &Event| match event.data.len() {
        0..10_000 => Part::None,
        _ => Part::Whole(event.data.iter().map(|byte| char::from(byte % 26 + b'a')).collect()),
    };
    let log = place.log(DurableConfig::default().classify(id));
    let (well, ill) = (log.open("well").await.unwrap(), log.open("ill").await.unwrap());
    let mut random = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        (random >> 56) as u8 & 0x7f
    })
    .take(1 << 20)
    .collect();
    let (ill, well) = tokio::join!(ill.append(Event::new("ill", noise).into()), well.append(numbers(1..=2)));
    assert!(matches!(ill, Err(AppendError::Unavailable(_))));
    assert_eq!(well.unwrap(), 1..=2);
    let stream = log.open("nul").await.unwrap();
    let nul = Event::new("a\0b", "{}");
    assert!(matches!(stream.append(nul.into()).await, Err(AppendError::Unavailable(_))));
    assert_eq!(stream.append(numbers(1..=1)).await.unwrap(), 1..=1);
}

on_both!(events_wait_for_a_table_that_is_missing_for_a_while);

async fn events_wait_for_a_table_that_is_missing_for_a_while(place: Place) {
    let storage = Storage::new(place.database.clone(), StorageConfig::default());
    let stream = storage.log().open("key").await.unwrap();
    stream.append(numbers(1..=1)).await.unwrap();
    place.execute("alter table agent_webkit_runs rename to mislaid").await;
    let waits = stream.clone();
    let waits = tokio::spawn(async move { waits.append(numbers(2..=3)).await });
    eventually("a fault that is seen", async || storage.check().await.is_err()).await;
    let fault = storage.check().await.unwrap_err().to_string();
    assert!(
        fault.starts_with("the event log does not work: ") && fault.contains("agent_webkit_runs"),
        "{fault}"
    );
    assert!(!waits.is_finished());

    place.execute("alter table mislaid rename to agent_webkit_runs").await;
    assert_eq!(waits.await.unwrap().unwrap(), 2..=3);
    eventually("no fault", async || storage.check().await.is_ok()).await;
    assert_eq!(Reader::attach(&stream, Cursor::Oldest).await.until(3).await, frames(1..=3));
}
