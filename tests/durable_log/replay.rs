//! Replay, and the transition to live events.

use agent_webkit::{
    layers::resume::{Batch, Bounds, Cursor, Event, EventLog, EventStream, RingConfig, Tail, TailError},
    storage::events::{DurableConfig, DurableStream},
};

use crate::{
    place::{Place, on_both},
    reader::{Reader, frames, note, numbers},
};

/// A configuration with little memory, so that almost everything comes from the database.
fn little_memory() -> DurableConfig {
    DurableConfig::default().recent(RingConfig::default().window_events(20).window_bytes(1000))
}

async fn replay_from_every_position_is_the_same_to_the_byte(place: Place) {
    let log = place.log(little_memory());
    let stream = log.open("key").await.unwrap();
    for from in (1..=600).step_by(25) {
        stream.append(numbers(from..=from + 24)).await.unwrap();
    }
    for after in (0..=600).step_by(7).chain(570..=600) {
        let mut reader = Reader::attach(&stream, Cursor::After(after)).await;
        assert_eq!(reader.until(600).await, frames(after + 1..=600));
    }
    let mut reader = Reader::attach(&stream, Cursor::Oldest).await;
    assert_eq!(reader.until(600).await, frames(1..=600));
    assert!(matches!(stream.tail(Cursor::After(601)).await, Err(TailError::Ahead { last: 600, .. })));
}

async fn readers_that_take_each_others_room_miss_nothing_and_get_nothing_twice(place: Place) {
    let log = place.log(little_memory().replay_bytes(1));
    let stream = log.open("key").await.unwrap();
    stream.append(numbers(1..=600)).await.unwrap();
    for after in (0..=500).step_by(31) {
        let mut pair = [
            Reader::attach(&stream, Cursor::After(after)).await,
            Reader::attach(&stream, Cursor::Oldest).await,
        ];
        let mut items = [Vec::new(), Vec::new()];
        // In turns, so that each drops the page of the other.
        while pair.iter().any(|reader| reader.seq < 600) {
            for (reader, items) in pair.iter_mut().zip(&mut items).filter(|(reader, _)| reader.seq < 600) {
                items.extend(reader.chunk().await.unwrap().unwrap());
            }
        }
        assert!(items == [frames(after + 1..=600), frames(1..=600)], "after {after}");
    }
}

async fn large_events_come_page_by_page(place: Place) {
    let log = place.log(little_memory());
    let stream = log.open("key").await.unwrap();
    let large = |n: u64| agent_webkit::layers::resume::Event::new("large", vec![b'a' + n as u8; 200_000]);
    stream.append(Batch::new((0..10).map(large).collect())).await.unwrap();
    let mut reader = Reader::attach(&stream, Cursor::Oldest).await;
    let mut chunks = 0;
    while reader.seq < 10 {
        let chunk = reader.chunk().await.unwrap().unwrap();
        assert!(chunk.len() <= 2, "about 256 KiB at once");
        chunks += 1;
    }
    assert!(chunks >= 5);
}

async fn a_note_is_as_it_was_when_the_reader_attached(place: Place) {
    let log = place.log(little_memory());
    let stream = log.open("key").await.unwrap();
    let noted = |seqs, note: &'static str| Batch { note: Some(note.into()), ..numbers(seqs) };
    stream.append(noted(1..=100, "first")).await.unwrap();
    let early = stream.tail(Cursor::Oldest).await.unwrap();
    stream.append(noted(101..=200, "second")).await.unwrap();
    stream.append(numbers(201..=210)).await.unwrap();
    let late = stream.tail(Cursor::Oldest).await.unwrap();
    assert_eq!(early.attached().note.as_deref(), Some(&b"first"[..]));
    assert_eq!(early.attached().bounds, Bounds { oldest: 1, last: 100, closed: false });
    assert_eq!(late.attached().note.as_deref(), Some(&b"second"[..]));
    assert_eq!(late.attached().after, 0);
    assert_eq!(note(&log, "key").await.as_deref(), Some(&b"second"[..]));
    let alone = Batch { note: Some("third".into()), ..Batch::default() };
    assert!(stream.append(alone).await.unwrap().is_empty());
    stream.release();
    let again = log.open("key").await.unwrap().tail(Cursor::Oldest).await.unwrap();
    assert_eq!(again.attached().note.as_deref(), Some(&b"third"[..]));
}

const EVENTS: u64 = 4000;
const READERS: usize = 60;

async fn readers_that_join_all_through_a_fast_writer_see_no_gap_and_no_duplicate(place: Place) {
    let log = place.log(little_memory());
    let stream = log.open("key").await.unwrap();
    let writer = tokio::spawn(write(stream.clone()));
    let mut readers = Vec::new();
    while !writer.is_finished() && readers.len() < READERS {
        let mut reader = Reader::attach(&stream, Cursor::Oldest).await;
        let live = reader.tail.attached().bounds.last < EVENTS;
        readers.push((live, tokio::spawn(async move { reader.rest().await })));
    }
    writer.await.unwrap();
    let everything = frames(1..=EVENTS);
    assert!(readers.iter().any(|(live, _)| *live), "somebody read while the writer wrote");
    for (_, reader) in readers {
        assert!(reader.await.unwrap() == everything);
    }
    assert_eq!(stream.readers().attached, 0);
}

async fn write(stream: DurableStream) {
    let mut seq = 1;
    while seq <= EVENTS {
        let batch = seq..=EVENTS.min(seq + 3 + seq % 60);
        assert_eq!(stream.append(numbers(batch.clone())).await.unwrap(), batch);
        seq = batch.end() + 1;
    }
    stream.close();
}

async fn what_a_tail_shows_is_stored(place: Place) {
    let log = place.log(DurableConfig::default());
    let stream = log.open("key").await.unwrap();
    let mut reader = Reader::attach(&stream, Cursor::Oldest).await;
    let writer = tokio::spawn(async move {
        for seq in (1..=300).step_by(3) {
            stream.append(numbers(seq..=seq + 2)).await.unwrap();
        }
    });
    while reader.seq < 300 {
        reader.chunk().await.unwrap().unwrap();
        let stored = place.number("select max(seq) from agent_webkit_events").await;
        assert!(stored as u64 >= reader.seq, "{} was shown, {stored} is stored", reader.seq);
    }
    writer.await.unwrap();
}

async fn the_newest_of_a_name_can_be_read_back(place: Place) {
    let log = place.log(DurableConfig::default());
    let stream = log.open("key").await.unwrap();
    for n in 0..10 {
        stream.append(Event::new("odd", format!("{n}")).into()).await.unwrap();
        stream.append(Event::new("even", "x").into()).await.unwrap();
    }
    let expected = ["7", "8", "9"].map(|n| Event::new("odd", n));
    assert_eq!(stream.newest("odd", 3).await.unwrap(), expected);
    assert_eq!(stream.newest("none", 3).await.unwrap(), []);
    stream.release();
    let found = log.find("key").await.unwrap().unwrap();
    assert_eq!(found.newest("odd", 3).await.unwrap(), expected, "also where it is only read");
}

on_both!(
    replay_from_every_position_is_the_same_to_the_byte,
    readers_that_take_each_others_room_miss_nothing_and_get_nothing_twice,
    large_events_come_page_by_page,
    a_note_is_as_it_was_when_the_reader_attached,
    readers_that_join_all_through_a_fast_writer_see_no_gap_and_no_duplicate,
    what_a_tail_shows_is_stored,
    the_newest_of_a_name_can_be_read_back,
);
