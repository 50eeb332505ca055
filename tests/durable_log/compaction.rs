//! Compaction: the deltas of finished messages, beyond the newest events.

use agent_webkit::{
    layers::resume::{Batch, Cursor, Event, EventLog, EventStream, RingConfig},
    storage::events::{DurableConfig, DurableStream},
};

use crate::{
    place::{Place, on_both},
    reader::{Item, Reader, eventually, frame},
};

const KEPT: u64 = 100;
const BATCH: usize = 90;

fn config() -> DurableConfig {
    DurableConfig::default().uncompacted_events(KEPT).recent(RingConfig::default().window_events(10))
}

fn delta(message: &str, n: u64) -> Event {
    Event::new(
        "message_delta",
        format!(r#"{{"message_id":"{message}","delta":{{"type":"text","text":"{n}"}}}}"#),
    )
}

fn complete(message: &str) -> Event {
    Event::new("message_complete", format!(r#"{{"message_id":"{message}","message":{{}}}}"#))
}

/// Appended events, and which of them a reader may miss.
#[derive(Default)]
struct History {
    events: Vec<Event>,
    pieces: Vec<u64>,
}

impl History {
    fn message(&mut self, name: &str, deltas: u64) {
        for n in 0..deltas {
            self.pieces.push(self.events.len() as u64 + 1);
            self.events.push(delta(name, n));
        }
        self.events.push(complete(name));
    }

    fn last(&self) -> u64 {
        self.events.len() as u64
    }

    async fn append(&self, stream: &DurableStream) {
        let from = stream.bounds().last as usize;
        for batch in self.events[from..].chunks(BATCH) {
            stream.append(Batch::new(batch.to_vec())).await.unwrap();
        }
    }

    /// What a reader receives after `after`, when everything is compacted that may be.
    fn expected(&self, after: u64) -> Vec<Item> {
        let horizon = self.last().saturating_sub(KEPT);
        let mut items = Vec::new();
        for seq in after + 1..=self.last() {
            let gone = seq <= horizon && self.pieces.contains(&seq);
            match items.last_mut() {
                Some(Item::Compacted(range)) if gone => *range = *range.start()..=seq,
                _ if gone => items.push(Item::Compacted(seq..=seq)),
                _ => items.push(frame(seq, &self.events[seq as usize - 1])),
            }
        }
        items
    }
}

async fn fully_compacted(place: &Place, history: &History) {
    let horizon = history.last().saturating_sub(KEPT);
    let gone = history.pieces.iter().filter(|seq| **seq <= horizon).count() as i64;
    let left = history.last() as i64 - gone;
    eventually("compaction", async || place.number("select count(*) from agent_webkit_events").await == left)
        .await;
}

async fn a_replay_says_which_pieces_it_passes_over(place: Place) {
    let mut history = History::default();
    history.events.push(Event::new("session_ready", "{}"));
    for n in 0..20 {
        history.message(&format!("m{n}"), 40 + n);
        history.events.push(Event::new("result", "{}"));
    }
    let log = place.log(config());
    let stream = log.open("key").await.unwrap();
    history.append(&stream).await;
    stream.release();
    // A stream that is opened again is compacted to the end.
    let stream = log.open("key").await.unwrap();
    fully_compacted(&place, &history).await;
    assert_eq!(stream.bounds().oldest, 1);
    for after in (0..history.last()).step_by(13).chain(history.last() - KEPT - 50..history.last()) {
        let mut reader = Reader::attach(&stream, Cursor::After(after)).await;
        assert_eq!(reader.until(history.last()).await, history.expected(after), "after {after}");
    }
    let items = Reader::attach(&stream, Cursor::Oldest).await.until(history.last()).await;
    assert_eq!(items[1], Item::Compacted(2..=41));

    // A second time changes nothing.
    stream.release();
    let stream = log.open("key").await.unwrap();
    let items = Reader::attach(&stream, Cursor::Oldest).await.until(history.last()).await;
    assert_eq!(items, history.expected(0));
}

async fn what_was_attached_before_is_told_too(place: Place) {
    let log = place.log(config().replay_bytes(1));
    let stream = log.open("key").await.unwrap();
    let mut history = History::default();
    // Too few events to be compacted before the readers attach.
    history.message("m", 590);
    history.append(&stream).await;
    let mut reader = Reader::attach(&stream, Cursor::Oldest).await;
    reader.chunk().await.unwrap().unwrap();
    let given = reader.seq;
    // Only its page has room, so the first reader has to read the rest of its own again.
    let mut second = Reader::attach(&stream, Cursor::Oldest).await;
    second.chunk().await.unwrap().unwrap();
    history.message("n", 1);
    history.events.extend((0..1000).map(|_| Event::new("result", "{}")));
    history.append(&stream).await;
    stream.close();
    fully_compacted(&place, &history).await;

    let rest = second.rest().await;
    let of_page = rest.iter().take_while(|item| matches!(item, Item::Frame(..))).count();
    assert!(of_page > 0, "it still receives what its page holds");
    assert_eq!(rest[of_page], Item::Compacted(given + of_page as u64 + 1..=581));

    // Both still receive what memory held when they attached.
    let rest = reader.rest().await;
    assert_eq!(rest[0], Item::Compacted(given + 1..=581));
    assert_eq!(rest[1], frame(582, &history.events[581]));
    assert_eq!(rest.last(), Some(&frame(history.last(), history.events.last().unwrap())));
}

async fn pieces_of_a_message_that_never_became_whole_stay(place: Place) {
    let log = place.log(config());
    let stream = log.open("key").await.unwrap();
    let mut history = History::default();
    history.events.extend((0..700).map(|n| delta("cut", n)));
    history.message("m", 700);
    // A message that continues after its `message_complete`: its later deltas have no completion.
    history.events.extend((0..700).map(|n| delta("m", n)));
    history.events.extend((0..600).map(|_| Event::new("result", "{}")));
    history.append(&stream).await;
    stream.close();
    fully_compacted(&place, &history).await;
    let items = Reader::attach(&stream, Cursor::Oldest).await.rest().await;
    assert_eq!(items, history.expected(0));
}

async fn a_long_message_is_compacted_once_it_is_whole(place: Place) {
    let log = place.log(config());
    let stream = log.open("key").await.unwrap();
    let mut history = History::default();
    history.message("m", 3000);
    history.events.extend((0..KEPT).map(|_| Event::new("result", "{}")));
    history.append(&stream).await;
    fully_compacted(&place, &history).await;
    let items = Reader::attach(&stream, Cursor::Oldest).await.until(history.last()).await;
    assert_eq!(items[0], Item::Compacted(1..=3000));
    assert_eq!(items, history.expected(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_fails_is_tried_again_without_another_append() {
    let place = Place::postgres().await;
    // A sequence keeps its count when its transaction is rolled back.
    let refuse = "create sequence tries;
        create function refuse() returns trigger language plpgsql as
            $$ begin perform nextval('tries'); raise exception 'not now'; end $$;
        create trigger refuse before delete on agent_webkit_runs for each statement execute function refuse()";
    place.execute(refuse).await;
    let log = place.log(config());
    let stream = log.open("key").await.unwrap();
    let mut history = History::default();
    history.message("m", 1000);
    history.append(&stream).await;
    // Each append triggers at most one step.
    let appends = history.events.len().div_ceil(BATCH) as i64;
    eventually("trying", async || place.number("select last_value from tries").await > appends).await;
    place.execute("drop trigger refuse on agent_webkit_runs").await;
    fully_compacted(&place, &history).await;
}

on_both!(
    a_replay_says_which_pieces_it_passes_over,
    what_was_attached_before_is_told_too,
    pieces_of_a_message_that_never_became_whole_stay,
    a_long_message_is_compacted_once_it_is_whole,
);
