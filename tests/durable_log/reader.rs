//! Reads a tail like a strict client.

use std::{future::poll_fn, ops::RangeInclusive, time::Duration};

use agent_webkit::{
    layers::resume::{Batch, Chunk, Cursor, Event, EventLog, EventStream, Evicted, Tail},
    storage::events::{DurableLog, DurableStream, DurableTail},
};
use bytes::Bytes;

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// An item of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Frame(u64, String),
    Compacted(RangeInclusive<u64>),
}

/// A tail and its position.
pub(crate) struct Reader {
    pub(crate) tail: DurableTail,
    /// The last sequence number that was received or reported as compacted.
    pub(crate) seq: u64,
}

impl Reader {
    pub(crate) async fn attach(stream: &DurableStream, cursor: Cursor) -> Self {
        Self::new(stream.tail(cursor).await.unwrap())
    }

    pub(crate) fn new(tail: DurableTail) -> Self {
        let seq = tail.attached().after;
        Self { tail, seq }
    }

    /// Reads the next chunk and checks that its frames and comments follow without a gap.
    pub(crate) async fn chunk(&mut self) -> Option<Result<Vec<Item>, Evicted>> {
        let next = poll_fn(|cx| self.tail.poll_chunk(cx));
        let chunk = tokio::time::timeout(PATIENCE, next).await.expect("the tail says something");
        chunk.map(|chunk| chunk.map(|chunk| self.check(&chunk)))
    }

    fn check(&mut self, chunk: &Chunk) -> Vec<Item> {
        let replay_end = self.tail.attached().bounds.last;
        assert!(self.seq >= replay_end || chunk.last_seq <= replay_end, "a chunk over the seam");
        let items = parse(&chunk.bytes);
        for item in &items {
            let (first, last) = match item {
                Item::Frame(seq, _) => (*seq, *seq),
                Item::Compacted(range) => (*range.start(), *range.end()),
            };
            assert_eq!(first, self.seq + 1, "no gap and no duplicate");
            self.seq = last;
        }
        assert_eq!(self.seq, chunk.last_seq);
        items
    }

    /// Reads up to `seq`.
    pub(crate) async fn until(&mut self, seq: u64) -> Vec<Item> {
        let mut items = Vec::new();
        while self.seq < seq {
            items.extend(self.chunk().await.expect("more events").expect("not evicted"));
        }
        items
    }

    /// Reads to the end of the stream.
    pub(crate) async fn rest(&mut self) -> Vec<Item> {
        let mut items = Vec::new();
        while let Some(chunk) = self.chunk().await {
            items.extend(chunk.expect("not evicted"));
        }
        items
    }
}

fn parse(bytes: &[u8]) -> Vec<Item> {
    let text = std::str::from_utf8(bytes).unwrap();
    assert!(text.ends_with("\n\n"), "whole frames");
    text.split_terminator("\n\n")
        .map(|frame| match frame.strip_prefix(": compacted ") {
            Some(range) => {
                let (first, last) = range.split_once('-').unwrap();
                Item::Compacted(first.parse().unwrap()..=last.parse().unwrap())
            }
            None => {
                let (id, rest) = frame.strip_prefix("id: ").unwrap().split_once('\n').unwrap();
                Item::Frame(id.parse().unwrap(), rest.to_owned())
            }
        })
        .collect()
}

/// The event at `seq` in streams whose events contain their sequence number.
pub(crate) fn numbered(seq: u64) -> Event {
    Event::new("n", format!("{{\"n\":{seq},\"pad\":\"{}\"}}", "p".repeat(seq as usize % 90)))
}

pub(crate) fn numbers(seqs: RangeInclusive<u64>) -> Batch {
    Batch::new(seqs.map(numbered).collect())
}

pub(crate) fn frame(seq: u64, event: &Event) -> Item {
    Item::Frame(seq, format!("event: {}\ndata: {}", event.name, std::str::from_utf8(&event.data).unwrap()))
}

pub(crate) fn frames(seqs: RangeInclusive<u64>) -> Vec<Item> {
    seqs.map(|seq| frame(seq, &numbered(seq))).collect()
}

/// The stored note of a stream.
pub(crate) async fn note(log: &DurableLog, key: &str) -> Option<Bytes> {
    let stream = log.find(key).await.unwrap()?;
    let tail = stream.tail(Cursor::After(stream.bounds().last)).await.unwrap();
    tail.attached().note.clone()
}

/// Waits until `holds`.
pub(crate) async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    let waited = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waited).await.unwrap_or_else(|_| panic!("{what} did not come to hold"));
}
