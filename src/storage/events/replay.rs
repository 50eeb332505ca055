//! Replays events from the database before a reader follows in memory.

use std::{
    fmt,
    io::Write,
    ops::Range,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use super::{
    LogError,
    backend::{Page, SqlBackend, StoredEvent},
    outage::Outage,
    pages::{HeldPage, Pages},
    retention::HoldGuard,
};
use crate::layers::resume::{Chunk, Evicted, TailError, encode_frame_into};

/// Maximum size of a chunk, unless a single event is larger. For a reader that does not read, the binary's
/// connections hold three.
const CHUNK: usize = 8 << 10;

/// A page ends with the row that reaches this number of bytes.
const PAGE: usize = 256 << 10;

/// The size of a frame beyond its name and data, at most, and that of the comment before it.
const AROUND: usize = 128;

/// A replay, page by page. It holds no connection between pages, and gives a page in chunks.
pub(super) struct Replay {
    source: Source,
    id: i64,
    /// The last sequence number that was returned.
    after: u64,
    /// The last sequence number to return.
    until: u64,
    hold: Option<HoldGuard>,
    /// The rest of the page.
    page: Option<HeldPage>,
    fetching: Option<Fetching>,
}

/// Where replays get their pages.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) rows: Arc<dyn SqlBackend>,
    pub(super) pages: Arc<Pages>,
    /// Maximum time to wait for an unavailable database.
    pub(super) outage: Duration,
}

type Fetching = Pin<Box<dyn Future<Output = Result<Option<Page>, LogError>> + Send>>;

/// An item of a replay.
#[derive(Debug)]
pub(super) enum Replayed {
    Chunk(Chunk),
    Evicted(Evicted),
    /// The stream was deleted.
    Deleted(Evicted),
    /// All events were returned.
    Over,
    /// The database was unavailable for too long.
    Broken,
}

impl Replay {
    /// Starts a replay of the events after `range.start` up to `range.end`. Reads the first page at once, to
    /// refuse a reader whose events are gone.
    pub(super) async fn start(
        source: Source,
        id: i64,
        range: Range<u64>,
        hold: Option<HoldGuard>,
    ) -> Result<Self, TailError> {
        let Range { start: after, end: until } = range;
        let page = source.page(id, after..until).await?;
        let page = page.ok_or(TailError::Forgotten)?;
        if page.oldest > after + 1 {
            return Err(TailError::Evicted(Evicted { after, oldest: page.oldest }));
        }
        let page = Some(source.pages.put(page));
        Ok(Self { source, id, after, until, hold, page, fetching: None })
    }

    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Replayed> {
        if self.after >= self.until {
            return Poll::Ready(Replayed::Over);
        }
        let page = match self.page.take().and_then(HeldPage::take) {
            Some(page) => Some(page),
            None => {
                let fetching = self.fetching.get_or_insert_with(|| {
                    Box::pin(fetch(self.source.clone(), self.id, self.after..self.until))
                });
                let fetched = ready!(fetching.as_mut().poll(cx));
                self.fetching = None;
                match fetched {
                    Ok(page) => page,
                    Err(error) => {
                        tracing::warn!(%error, "a replay failed; its reader is disconnected");
                        return Poll::Ready(Replayed::Broken);
                    }
                }
            }
        };
        let evicted = |oldest| Evicted { after: self.after, oldest };
        Poll::Ready(match page {
            Some(page) if page.oldest <= self.after + 1 => Replayed::Chunk(self.give(page)),
            Some(page) => Replayed::Evicted(evicted(page.oldest)),
            None => Replayed::Deleted(evicted(self.until + 1)),
        })
    }

    fn give(&mut self, mut page: Page) -> Chunk {
        let mut bytes = Vec::with_capacity(CHUNK);
        if page.events.is_empty() {
            self.jump(self.until, &mut bytes);
        }
        while let Some(StoredEvent { seq, name, data }) = page.events.front() {
            let size = name.len() + data.len() + AROUND;
            if bytes.len() + size > CHUNK && !bytes.is_empty() {
                break;
            }
            bytes.reserve_exact(size);
            self.jump(seq - 1, &mut bytes);
            encode_frame_into(&mut bytes, Some(*seq), name, data);
            self.after = *seq;
            page.events.pop_front();
        }
        if !page.events.is_empty() {
            self.page = Some(self.source.pages.put(page));
        }
        if let Some(hold) = &self.hold {
            hold.given(self.after);
        }
        Chunk { bytes: bytes.into(), last_seq: self.after }
    }

    /// Writes a comment that the events from the next one up to `to` were compacted.
    fn jump(&mut self, to: u64, bytes: &mut Vec<u8>) {
        if to > self.after {
            let _ = write!(bytes, ": compacted {}-{to}\n\n", self.after + 1);
            self.after = to;
        }
    }
}

impl Source {
    /// Reads the next page: a small one while others take all room, because it may be read again for each chunk.
    async fn page(&self, id: i64, range: Range<u64>) -> Result<Option<Page>, LogError> {
        let size = if self.pages.are_many() { CHUNK } else { PAGE };
        Ok(self.rows.page(id, range.start, range.end, size).await?)
    }
}

async fn fetch(source: Source, id: i64, range: Range<u64>) -> Result<Option<Page>, LogError> {
    let mut outage = Outage::default();
    loop {
        match source.page(id, range.clone()).await {
            Ok(page) => return Ok(page),
            Err(error) if outage.is_over(source.outage) => return Err(error),
            Err(_) => outage.pause().await,
        }
    }
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay")
            .field("after", &self.after)
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "sqlite")]
#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;
    use crate::{
        layers::resume::{Batch, Cursor, Event, EventLog, EventStream, Tail},
        storage::{
            database::Database,
            events::{DurableConfig, DurableLog},
        },
    };

    const EVENTS: usize = 900;
    const READERS: usize = 30;
    /// Less than two pages.
    const HELD: usize = 400 << 10;

    #[tokio::test]
    async fn readers_that_stall_hold_a_chunk_each_and_miss_nothing_when_they_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::sqlite(folder.path().join("sessions.db")).await.unwrap();
        let log = DurableLog::new(database, DurableConfig::default().replay_bytes(HELD));
        let stream = log.open("key").await.unwrap();
        let event = |n: usize| Event::new("n", format!("{n:0300}"));
        stream.append(Batch::new((0..EVENTS).map(event).collect())).await.unwrap();
        stream.release();
        let stream = log.open("key").await.unwrap();

        let mut readers = Vec::new();
        for _ in 0..READERS {
            let mut tail = stream.tail(Cursor::Oldest).await.unwrap();
            let first = poll_fn(|cx| tail.poll_chunk(cx)).await.unwrap().unwrap();
            assert!(
                first.bytes.len() <= CHUNK
                    && first.bytes.try_into_mut().is_ok_and(|first| { first.capacity() <= CHUNK }),
                "nothing else is kept with it"
            );
            readers.push((tail, first.last_seq));
        }
        let held = log.core.source.pages.bytes();
        assert!((1..=HELD).contains(&held), "{held} bytes for {READERS} readers");

        for (mut tail, mut seq) in readers {
            while seq < EVENTS as u64 {
                let chunk = poll_fn(|cx| tail.poll_chunk(cx)).await.unwrap().unwrap();
                let whole = (seq + 1..=chunk.last_seq)
                    .map(|seq| format!("id: {seq}\nevent: n\ndata: {:0300}\n\n", seq - 1));
                assert!(chunk.bytes == whole.collect::<String>(), "after {seq}");
                seq = chunk.last_seq;
            }
        }
        assert_eq!(log.core.source.pages.bytes(), 0, "readers that are gone hold nothing");
    }
}
