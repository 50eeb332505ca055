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
    retention::Hold,
};
use crate::layers::resume::{Chunk, Evicted, TailError, encode_frame_into};

/// A replay, page by page. It holds no connection between pages.
pub(super) struct Replay {
    rows: Arc<dyn SqlBackend>,
    id: i64,
    /// The last sequence number that was returned.
    after: u64,
    /// The last sequence number to return.
    until: u64,
    outage: Duration,
    hold: Option<Arc<Hold>>,
    page: Option<Page>,
    fetching: Option<Fetching>,
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
        rows: Arc<dyn SqlBackend>,
        id: i64,
        range: Range<u64>,
        outage: Duration,
        hold: Option<Arc<Hold>>,
    ) -> Result<Self, TailError> {
        let Range { start: after, end: until } = range;
        let page = rows.page(id, after, until).await.map_err(LogError::from)?;
        let page = page.ok_or(Evicted { after, oldest: until + 1 }).map_err(TailError::Evicted)?;
        if page.oldest > after + 1 {
            return Err(TailError::Evicted(Evicted { after, oldest: page.oldest }));
        }
        Ok(Self { rows, id, after, until, outage, hold, page: Some(page), fetching: None })
    }

    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Replayed> {
        if self.after >= self.until {
            return Poll::Ready(Replayed::Over);
        }
        let page = match self.page.take() {
            Some(page) => Some(page),
            None => {
                let fetching = self.fetching.get_or_insert_with(|| {
                    Box::pin(fetch(Arc::clone(&self.rows), self.id, self.after..self.until, self.outage))
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
            Some(page) if page.oldest <= self.after + 1 => Replayed::Chunk(self.give(&page.events)),
            Some(page) => Replayed::Evicted(evicted(page.oldest)),
            None => Replayed::Deleted(evicted(self.until + 1)),
        })
    }

    fn give(&mut self, events: &[StoredEvent]) -> Chunk {
        let size = events.iter().map(|event| event.data.len() + event.name.len() + 40).sum();
        let mut bytes = Vec::with_capacity(size);
        for event in events {
            self.jump(event.seq - 1, &mut bytes);
            encode_frame_into(&mut bytes, Some(event.seq), &event.name, &event.data);
            self.after = event.seq;
        }
        if events.is_empty() {
            self.jump(self.until, &mut bytes);
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

async fn fetch(
    rows: Arc<dyn SqlBackend>,
    id: i64,
    range: Range<u64>,
    bound: Duration,
) -> Result<Option<Page>, LogError> {
    let mut outage = Outage::default();
    loop {
        match rows.page(id, range.start, range.end).await {
            Ok(page) => return Ok(page),
            Err(error) if outage.is_over(bound) => return Err(error.into()),
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
