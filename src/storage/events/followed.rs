//! Streams that other processes write, followed here: one task for each of them reads what was committed into a ring
//! in memory, which all its readers share.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    DurableConfig, LogError,
    backend::StreamRow,
    outage::Outage,
    replay::{Replay, Source},
    tail::DurableTail,
};
use crate::{
    layers::resume::{Attached, Batch, Bounds, Cursor, Event, EventStream, RingStream, Tail, TailError},
    metrics::Counted,
    storage::wake::{Hint, Wake},
    sync::lock,
};

/// A page ends with the row that reaches this number of bytes.
const PAGE: usize = 256 << 10;

/// Maximum time for the readers of a closed stream to read its end, while its writer waits before it deletes the
/// stream.
const LAST_READ: Duration = Duration::from_secs(10);

/// The streams that are followed here. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Followers {
    pub(super) source: Source,
    pub(super) config: DurableConfig,
    pub(super) wake: Wake,
    pub(super) table: Arc<Mutex<HashMap<String, Arc<Following>>>>,
    pub(super) tasks: TaskTracker,
    pub(super) stop: CancellationToken,
}

/// A followed stream. It ends when its last reader has gone, and with the stream.
#[derive(Debug)]
pub(super) struct Following {
    key: String,
    id: i64,
    ring: RingStream,
    /// Where the stream starts, as last read.
    floor: AtomicU64,
    /// Held while the ring is filled: the events that are missing are read once.
    filling: tokio::sync::Mutex<()>,
    is_over: AtomicBool,
}

/// What the database says of a followed stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Open,
    /// The stream is closed, and the ring has its last event.
    Closed,
    Deleted,
    /// The ring cannot go on: the next events were compacted, trimmed, or are too many. Its readers reconnect and read
    /// what there is from the database.
    Lost,
}

impl Followers {
    /// Attaches a reader to the stream of this key, which is followed from now on.
    pub(super) async fn tail(&self, key: &str, cursor: Cursor) -> Result<DurableTail, TailError> {
        loop {
            let following = self.following(key).await?;
            match following.fill(self).await? {
                Found::Open | Found::Closed => {}
                Found::Deleted => {
                    self.end(&following);
                    following.ring.close();
                    return Err(TailError::Forgotten);
                }
                Found::Lost => {
                    self.end(&following);
                    following.ring.release();
                    continue;
                }
            }
            let tail = following.attach(self, cursor).await?;
            // The task may have ended for want of readers before this one was attached.
            if following.is_over.load(Ordering::SeqCst) && !following.ring.bounds().closed {
                continue;
            }
            return Ok(tail);
        }
    }

    /// The keys of the streams that have readers here.
    pub(super) fn keys(&self) -> Vec<String> {
        let table = self.table();
        let read = table.values().filter(|following| following.ring.readers().attached > 0);
        read.map(|following| following.key.clone()).collect()
    }

    /// Ends all, and with them the streams of their readers.
    pub(super) fn release(&self) {
        let all: Vec<_> = self.table().drain().collect();
        for (_, following) in all {
            following.is_over.store(true, Ordering::SeqCst);
            following.ring.release();
        }
    }

    async fn following(&self, key: &str) -> Result<Arc<Following>, TailError> {
        if self.stop.is_cancelled() {
            return Err(TailError::Fenced);
        }
        if let Some(following) = self.table().get(key) {
            return Ok(Arc::clone(following));
        }
        let row = self.source.rows.look(key).await.map_err(LogError::from)?;
        let row = row.ok_or(TailError::Forgotten)?;
        let mut table = self.table();
        if let Some(following) = table.get(key) {
            return Ok(Arc::clone(following));
        }
        let following = Arc::new(Following::new(key, &self.config, row));
        table.insert(key.to_owned(), Arc::clone(&following));
        let (followers, followed) = (self.clone(), Arc::clone(&following));
        self.tasks.spawn(async move {
            let stop = followers.stop.clone();
            if stop.run_until_cancelled(followers.follow(&followed)).await.is_none() {
                followers.release();
            }
            followers.wake.send(Hint::Left(followed.key.clone()));
        });
        Ok(following)
    }

    async fn follow(&self, following: &Following) {
        let _counted = Counted::followed();
        let grew = self.wake.subscribe(Hint::Grew(following.key.clone()));
        let mut outage = Outage::default();
        let mut said_at: Option<Instant> = None;
        loop {
            if said_at.is_none_or(|said_at| said_at.elapsed() >= self.wake.poll_every()) {
                self.wake.send(Hint::Follows(following.key.clone()));
                said_at = Some(Instant::now());
            }
            grew.woken().await;
            if self.ends_without_readers(following) {
                return;
            }
            match following.fill(self).await {
                Ok(Found::Open) => drop(outage.end()),
                Ok(Found::Closed) => break,
                Ok(Found::Deleted) => {
                    // What readers have yet to read of it is in the ring.
                    following.ring.close();
                    self.end(following);
                    return;
                }
                Ok(Found::Lost) => return self.lose(following),
                Err(error) if outage.is_over(self.source.outage) => {
                    tracing::warn!(%error, key = following.key, "a stream cannot be followed any more");
                    return self.lose(following);
                }
                Err(_) => outage.pause().await,
            }
        }
        // Replays read from the database, where its writer keeps the stream while it is followed.
        let closed_at = Instant::now();
        while following.ring.readers().attached > 0 && closed_at.elapsed() < LAST_READ {
            self.wake.send(Hint::Follows(following.key.clone()));
            grew.woken().await;
        }
        self.end(following);
    }

    /// Ends it if nobody reads it.
    fn ends_without_readers(&self, following: &Following) -> bool {
        let mut table = self.table();
        // First announced, then checked: a reader is attached first, and then checks.
        following.is_over.store(true, Ordering::SeqCst);
        if following.ring.readers().attached > 0 {
            following.is_over.store(false, Ordering::SeqCst);
            return false;
        }
        remove(&mut table, following);
        true
    }

    fn lose(&self, following: &Following) {
        self.end(following);
        following.ring.release();
    }

    fn end(&self, following: &Following) {
        let mut table = self.table();
        following.is_over.store(true, Ordering::SeqCst);
        remove(&mut table, following);
    }

    fn table(&self) -> MutexGuard<'_, HashMap<String, Arc<Following>>> {
        lock(&self.table)
    }
}

fn remove(table: &mut HashMap<String, Arc<Following>>, following: &Following) {
    if table.get(&following.key).is_some_and(|listed| std::ptr::eq(&**listed, following)) {
        table.remove(&following.key);
    }
}

impl Following {
    fn new(key: &str, config: &DurableConfig, row: StreamRow) -> Self {
        Self {
            key: key.to_owned(),
            id: row.id,
            ring: RingStream::resume_at(config.recent.clone(), row.last, row.note),
            floor: AtomicU64::new(row.oldest),
            filling: tokio::sync::Mutex::default(),
            is_over: AtomicBool::new(false),
        }
    }

    /// Reads the events that were committed since, all of them before the first is shown: the note is that of the
    /// newest.
    async fn fill(&self, followers: &Followers) -> Result<Found, LogError> {
        let _alone = self.filling.lock().await;
        if self.ring.bounds().closed {
            return Ok(Found::Closed);
        }
        let rows = &followers.source.rows;
        let Some(row) = rows.look(&self.key).await?.filter(|row| row.id == self.id) else {
            return Ok(Found::Deleted);
        };
        self.floor.store(row.oldest, Ordering::Relaxed);
        let (mut last, mut bytes, mut events) = (self.ring.bounds().last, 0, Vec::new());
        if row.last < last {
            return Ok(Found::Lost);
        }
        while last < row.last {
            let Some(page) = rows.page(self.id, last, row.last, PAGE).await? else {
                return Ok(Found::Deleted);
            };
            bytes += page.size;
            if page.events.is_empty() || bytes > followers.config.recent.lag_budget {
                return Ok(Found::Lost);
            }
            for event in page.events {
                // The ring numbers its events without a gap.
                if event.seq != last + 1 {
                    return Ok(Found::Lost);
                }
                last = event.seq;
                events.push(Event::new(event.name.to_string(), event.data));
            }
        }
        // It fails if the stream was released meanwhile.
        let _ = self.ring.append(Batch { note: row.note, ..Batch::new(events) }).await;
        if row.closed {
            self.ring.close();
            return Ok(Found::Closed);
        }
        Ok(Found::Open)
    }

    /// Attaches a reader to the events in memory first, and then reads those before them from the database.
    async fn attach(&self, followers: &Followers, cursor: Cursor) -> Result<DurableTail, TailError> {
        let durable = |bounds: Bounds| {
            let floor = self.floor.load(Ordering::Relaxed);
            Bounds { oldest: followers.config.oldest(floor, bounds.last), ..bounds }
        };
        let after = durable(self.ring.bounds()).admit(cursor)?;
        let live = match self.ring.tail(Cursor::After(after)).await {
            Err(TailError::Evicted(_)) => self.ring.tail(Cursor::Oldest).await?,
            other => other?,
        };
        let Attached { after: from, bounds, note } = live.attached().clone();
        let bounds = durable(bounds);
        let after = bounds.admit(Cursor::After(after))?;
        let attached = Attached { after, bounds, note };
        if after >= from {
            return Ok(DurableTail::new(attached, None, Some(live)));
        }
        let replay = Replay::start(followers.source.clone(), self.id, after..from, None).await?;
        Ok(DurableTail::new(attached, Some(replay), Some(live)))
    }
}
