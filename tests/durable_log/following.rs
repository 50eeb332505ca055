//! A stream that another process writes is followed: its readers get every event, in order, whoever writes.

use std::time::Duration;

use agent_webkit::{
    layers::resume::{Batch, Cursor, Event, EventLog, EventStream, Tail, TailError},
    storage::{
        Storage, StorageConfig,
        events::{DurableConfig, DurableLog, DurableStream},
    },
};

use crate::{
    place::{Place, on_both},
    reader::{Reader, frames, numbers},
};

on_both! {
    readers_follow_through_every_change_of_the_writer,
    a_reader_starts_anywhere_and_gets_the_note_of_the_newest_event,
    a_followed_stream_ends_with_its_last_event,
    a_followed_stream_that_is_deleted_ends,
    readers_of_events_that_were_compacted_meanwhile_reconnect,
    nobody_follows_without_a_reader,
}

async fn follow(log: &DurableLog) -> DurableStream {
    log.follow("key").await.unwrap().unwrap()
}

async fn readers_follow_through_every_change_of_the_writer(place: Place) {
    let hosts = [0, 1].map(|_| place.log(DurableConfig::default()));
    let bystander = place.log(DurableConfig::default());
    hosts[0].open("key").await.unwrap().append(numbers(1..=3)).await.unwrap();
    let stream = follow(&bystander).await;
    let mut readers = Vec::new();
    for after in 0..3 {
        readers.push((after, Reader::attach(&stream, Cursor::After(after)).await));
    }
    let mut last = 3;
    for turn in 0..6 {
        let writer = hosts[turn % 2].open("key").await.unwrap();
        for size in [1, 40, 300] {
            writer.append(numbers(last + 1..=last + size)).await.unwrap();
            last += size;
        }
    }
    // One that joins late sees the same.
    readers.push((0, Reader::attach(&stream, Cursor::Oldest).await));
    for (after, mut reader) in readers {
        assert!(reader.until(last).await == frames(after + 1..=last), "after {after}");
    }
    // The host that follows may become the writer: its readers stay.
    let mut reader = Reader::attach(&stream, Cursor::After(last)).await;
    bystander.open("key").await.unwrap().append(numbers(last + 1..=last + 5)).await.unwrap();
    assert_eq!(reader.until(last + 5).await, frames(last + 1..=last + 5));
}

async fn a_reader_starts_anywhere_and_gets_the_note_of_the_newest_event(place: Place) {
    let (writer, other) = (place.log(DurableConfig::default()), place.log(DurableConfig::default()));
    let open = writer.open("key").await.unwrap();
    let stream = {
        open.append(numbers(1..=10)).await.unwrap();
        follow(&other).await
    };
    let mut kept = Reader::attach(&stream, Cursor::Oldest).await;
    for last in [20_u64, 30] {
        let note = Some(format!("as of {last}").into());
        open.append(Batch { note, ..numbers(last - 9..=last) }).await.unwrap();
        // At once, without waiting for a hint or a poll.
        let tail = stream.tail(Cursor::After(last)).await.unwrap();
        assert_eq!(tail.attached().bounds.last, last);
        assert_eq!(tail.attached().note.as_deref(), Some(format!("as of {last}").as_bytes()));
        assert!(matches!(stream.tail(Cursor::After(last + 1)).await, Err(TailError::Ahead { .. })));
    }
    open.append(Batch { note: Some("a note alone".into()), ..Batch::default() }).await.unwrap();
    let tail = stream.tail(Cursor::Oldest).await.unwrap();
    assert_eq!(tail.attached().note.as_deref(), Some(&b"a note alone"[..]));
    assert_eq!(kept.until(30).await, frames(1..=30));
}

async fn a_followed_stream_ends_with_its_last_event(place: Place) {
    let (writer, other) = (place.log(DurableConfig::default()), place.log(DurableConfig::default()));
    let open = writer.open("key").await.unwrap();
    open.append(numbers(1..=2)).await.unwrap();
    let mut reader = Reader::attach(&follow(&other).await, Cursor::Oldest).await;
    assert_eq!(reader.until(2).await, frames(1..=2));
    open.append(numbers(3..=4)).await.unwrap();
    open.close();
    assert_eq!(reader.rest().await, frames(3..=4));
    let mut late = Reader::attach(&follow(&other).await, Cursor::After(1)).await;
    assert_eq!(late.rest().await, frames(2..=4));
}

async fn a_followed_stream_that_is_deleted_ends(place: Place) {
    let (writer, other) = (place.log(DurableConfig::default()), place.log(DurableConfig::default()));
    writer.open("key").await.unwrap().append(numbers(1..=2)).await.unwrap();
    let stream = follow(&other).await;
    let mut reader = Reader::attach(&stream, Cursor::Oldest).await;
    assert_eq!(reader.until(2).await, frames(1..=2));
    writer.forget("key").await.unwrap();
    assert!(reader.rest().await.is_empty());
    assert!(matches!(stream.tail(Cursor::Oldest).await, Err(TailError::Forgotten)));
    assert!(other.follow("key").await.unwrap().is_none());
    // Another stream under the same key is not the one that was followed.
    writer.open("key").await.unwrap().append(numbers(1..=1)).await.unwrap();
    let mut anew = Reader::attach(&follow(&other).await, Cursor::Oldest).await;
    assert_eq!(anew.until(1).await, frames(1..=1));
}

/// What is gone between two looks is never skipped in silence: the stream ends, and a new reader is told.
async fn readers_of_events_that_were_compacted_meanwhile_reconnect(place: Place) {
    let (writer, other) = (place.log(DurableConfig::default()), place.log(DurableConfig::default()));
    let open = writer.open("key").await.unwrap();
    open.append(numbers(1..=5)).await.unwrap();
    let stream = follow(&other).await;
    let mut reader = Reader::attach(&stream, Cursor::Oldest).await;
    assert_eq!(reader.until(5).await, frames(1..=5));
    // As if events 6 to 50 had been stored and compacted between two looks.
    place.execute("update agent_webkit_streams set last_seq = 50 where key = 'key'").await;
    assert!(reader.rest().await.is_empty(), "it ends without the next event");
    let tail = stream.tail(Cursor::After(5)).await.unwrap();
    assert_eq!(tail.attached().bounds.last, 50);
}

async fn nobody_follows_without_a_reader(place: Place) {
    let (writer, other) = (place.log(DurableConfig::default()), place.log(DurableConfig::default()));
    writer.open("key").await.unwrap().append(numbers(1..=2)).await.unwrap();
    let stream = follow(&other).await;
    assert!(other.followed().is_empty());
    let reader = Reader::attach(&stream, Cursor::Oldest).await;
    assert_eq!(other.followed(), ["key"]);
    drop(reader);
    assert!(other.followed().is_empty());
    let mut again = Reader::attach(&stream, Cursor::After(1)).await;
    assert_eq!(again.until(2).await, frames(2..=2));
    other.end_followed();
    assert!(again.rest().await.is_empty());
    assert!(matches!(stream.tail(Cursor::Oldest).await, Err(TailError::Fenced)));
}

/// A burst is compacted at once, but not before the hosts that follow the stream have read it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_readers_of_a_host_that_follows_stay_while_bursts_are_compacted() {
    let place = Place::postgres().await;
    let config = StorageConfig::default().events(DurableConfig::default().uncompacted_events(10));
    let [writer, other] = [0, 1].map(|_| Storage::new(place.database.clone(), config.clone()));
    let open = writer.log().open("key").await.unwrap();
    open.append(numbers(1..=1)).await.unwrap();
    let mut reader = Reader::attach(&follow(other.log()).await, Cursor::Oldest).await;
    while open.readers().attached == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut last = 1;
    for n in 0..20 {
        let piece = || Event::new("message_delta", format!(r#"{{"message_id":"m{n}","delta":{{}}}}"#));
        let mut events: Vec<_> = (0..1000).map(|_| piece()).collect();
        events.push(Event::new("message_complete", format!(r#"{{"message_id":"m{n}","message":{{}}}}"#)));
        last += 1001;
        open.append(Batch::new(events)).await.unwrap();
        // The next step of the retention runs with this one.
        last += 1;
        open.append(numbers(last..=last)).await.unwrap();
    }
    assert_eq!(reader.until(last).await.len() as u64, last);
}
