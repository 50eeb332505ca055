//! An open stream, which this process writes, and the jobs that it sends to the writer task.

use std::{
    collections::HashMap,
    ops::RangeInclusive,
    sync::{
        Arc, Mutex, MutexGuard, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::{
    DurableConfig, LogError,
    backend::{Run, StreamRow, Write},
    error::{NulInName, ShutDown},
    replay::{Replay, Source},
    retention::{Hold, HoldGuard, Needed, Retention, Step},
    tail::DurableTail,
};
use crate::{
    layers::resume::{
        AppendError, Attached, Batch, Bounds, Cursor, EventStream, Readers, RingStream, Tail, TailError,
    },
    storage::wake::Wake,
    sync::lock,
};

/// A job for the writer task.
#[derive(Debug)]
pub(super) enum Job {
    Append(Append),
    Close(Arc<OpenStream>),
    /// Runs the retention step that is due; with `all`, even a small one.
    Retention {
        stream: Arc<OpenStream>,
        all: bool,
    },
}

/// A batch that waits to be stored. It is stored and shown even if its caller no longer waits.
#[derive(Debug)]
pub(super) struct Append {
    pub(super) stream: Arc<OpenStream>,
    pub(super) batch: Batch,
    pub(super) done: oneshot::Sender<Result<RangeInclusive<u64>, AppendError>>,
    pub(super) _room: OwnedSemaphorePermit,
}

/// What all open streams of a log share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) source: Source,
    pub(super) config: DurableConfig,
    pub(super) jobs: mpsc::UnboundedSender<Job>,
    /// Free room in the queue, in units of [`ROOM_UNIT`] bytes.
    pub(super) room: Arc<Semaphore>,
    pub(super) table: Weak<Table>,
    pub(super) wake: Wake,
}

/// The open streams of a log, by key.
pub(super) type Table = Mutex<HashMap<String, Arc<OpenStream>>>;

pub(super) const ROOM_UNIT: usize = 1024;

#[derive(Debug)]
pub(super) struct OpenStream {
    pub(super) shared: Shared,
    pub(super) key: String,
    pub(super) id: i64,
    pub(super) epoch: i64,
    /// Where the stream started when it was opened; `u64::MAX` once it is forgotten.
    floor: AtomicU64,
    /// The events stored since then, as far as memory keeps them. Readers follow its tails.
    pub(super) ring: RingStream,
    phase: Mutex<Phase>,
    /// The total size of the events appended since the stream was opened.
    appended: AtomicU64,
    holds: Mutex<Vec<Weak<Hold>>>,
    retention: Mutex<Retention>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    Closed,
    Fenced,
}

impl OpenStream {
    pub(super) fn new(shared: Shared, key: &str, row: &StreamRow) -> Self {
        let ring = RingStream::resume_at(shared.config.recent.clone(), row.last, row.note.clone());
        if row.closed {
            ring.close();
        }
        Self {
            shared,
            key: key.to_owned(),
            id: row.id,
            epoch: row.epoch,
            floor: AtomicU64::new(row.oldest),
            ring,
            phase: Mutex::new(if row.closed { Phase::Closed } else { Phase::Open }),
            appended: AtomicU64::new(0),
            holds: Mutex::default(),
            retention: Mutex::new(Retention::new(row)),
        }
    }

    pub(super) async fn append(self: &Arc<Self>, batch: Batch) -> Result<RangeInclusive<u64>, AppendError> {
        self.check_open()?;
        if batch.events.iter().any(|event| event.name.contains('\0')) {
            return Err(AppendError::Unavailable(NulInName.into()));
        }
        let of_events = batch.events.iter().map(|event| event.data.len() + event.name.len());
        let bytes: usize = of_events.chain(batch.outbox.iter().map(Bytes::len)).sum();
        let room = (bytes / ROOM_UNIT + 1).min(self.shared.config.queue_bytes / ROOM_UNIT + 1);
        let room = Arc::clone(&self.shared.room).acquire_many_owned(u32::try_from(room).unwrap_or(u32::MAX));
        let room = room.await.map_err(|_| AppendError::Unavailable(ShutDown.into()))?;
        self.check_open()?;
        let (done, stored) = oneshot::channel();
        let append = Append { stream: Arc::clone(self), batch, done, _room: room };
        let shut_down = || AppendError::Unavailable(ShutDown.into());
        self.shared.jobs.send(Job::Append(append)).map_err(|_| shut_down())?;
        stored.await.unwrap_or_else(|_| Err(shut_down()))
    }

    /// Attaches to the events in memory first, so that the reader misses nothing appended from now on, and
    /// then reads the events before them from the database.
    pub(super) async fn tail(self: &Arc<Self>, cursor: Cursor) -> Result<DurableTail, TailError> {
        if self.floor.load(Ordering::Relaxed) == u64::MAX {
            return Err(TailError::Forgotten);
        }
        let after = match self.bounds().admit(cursor) {
            Err(ahead @ TailError::Ahead { .. }) => return Err(self.ahead(ahead).await),
            admitted => admitted?,
        };
        let live = match self.ring.tail(Cursor::After(after)).await {
            Err(TailError::Evicted(_)) => self.ring.tail(Cursor::Oldest).await?,
            other => other?,
        };
        let Attached { after: from, bounds, note } = live.attached().clone();
        let bounds = self.durable(bounds);
        let after = bounds.admit(Cursor::After(after))?;
        let attached = Attached { after, bounds, note };
        if after >= from {
            return Ok(DurableTail::new(attached, None, Some(live)));
        }
        let hold = self.hold(after);
        let replay = Replay::start(self.shared.source.clone(), self.id, after..from, hold).await?;
        Ok(DurableTail::new(attached, Some(replay), Some(live)))
    }

    /// A reader names an event that was not sent here. Who has sent it, or whether nobody has, the database knows: a
    /// process that was frozen may have lost the stream without having noticed.
    async fn ahead(&self, ahead: TailError) -> TailError {
        match self.shared.source.rows.look(&self.key).await {
            Ok(Some(row)) if (row.id, row.epoch) == (self.id, self.epoch) => ahead,
            Ok(row) => {
                self.release();
                row.map_or(TailError::Forgotten, |_| TailError::Fenced)
            }
            Err(error) => LogError::from(error).into(),
        }
    }

    pub(super) fn bounds(&self) -> Bounds {
        self.durable(self.ring.bounds())
    }

    /// The readers here. A host that follows the stream counts as one more.
    pub(super) fn readers(&self) -> Readers {
        let readers = self.ring.readers();
        let elsewhere = usize::from(self.shared.wake.is_followed(&self.key));
        Readers { attached: readers.attached + elsewhere, ..readers }
    }

    /// Widens the bounds of the events in memory to those of the events in the database.
    fn durable(&self, bounds: Bounds) -> Bounds {
        let floor = self.floor.load(Ordering::Relaxed);
        Bounds { oldest: self.shared.config.oldest(floor, bounds.last), ..bounds }
    }

    pub(super) fn close(self: &Arc<Self>) {
        let mut phase = self.phase();
        if *phase == Phase::Open {
            *phase = Phase::Closed;
            // The writer task has ended and cannot store the close; this at least ends the readers here.
            if self.shared.jobs.send(Job::Close(Arc::clone(self))).is_err() {
                self.ring.close();
            }
        }
    }

    /// Ends the stream in this process and changes nothing in the database.
    pub(super) fn release(&self) {
        {
            let mut phase = self.phase();
            if *phase == Phase::Open {
                *phase = Phase::Fenced;
            }
        }
        self.leave();
        self.ring.release();
    }

    /// Ends the stream after the database has deleted it.
    pub(super) fn forget(&self) {
        *self.phase() = Phase::Closed;
        self.leave();
        self.floor.store(u64::MAX, Ordering::Relaxed);
        self.ring.forget();
    }

    /// Removes the stream from the log's open streams.
    pub(super) fn leave(&self) {
        let Some(table) = self.shared.table.upgrade() else { return };
        let mut table = lock(&table);
        if table.get(&self.key).is_some_and(|open| std::ptr::eq(&**open, self)) {
            table.remove(&self.key);
        }
    }

    fn check_open(&self) -> Result<(), AppendError> {
        match *self.phase() {
            Phase::Open => Ok(()),
            Phase::Closed => Err(AppendError::Closed),
            Phase::Fenced => Err(AppendError::Fenced),
        }
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        lock(&self.phase)
    }

    pub(super) fn retention(&self) -> MutexGuard<'_, Retention> {
        lock(&self.retention)
    }

    /// Requests the retention that was left over.
    pub(super) fn look_after(self: &Arc<Self>) {
        let _ = self.shared.jobs.send(Job::Retention { stream: Arc::clone(self), all: true });
    }

    /// The retention step that is due; with `all`, even a small one.
    pub(super) fn due(&self, config: &DurableConfig, all: bool) -> Option<Step> {
        let Bounds { last, closed, .. } = self.ring.bounds();
        let by_replays = self.held().unwrap_or(u64::MAX);
        let is_followed = self.shared.wake.is_followed(&self.key);
        let mut retention = self.retention();
        let fresh = retention.fresh.first(last + 1);
        let needed = Needed { by_replays, by_followers: if is_followed { fresh } else { u64::MAX } };
        retention.due(config, last, needed, all || closed)
    }

    pub(super) fn stored(&self, write: &Write) {
        let bytes: u64 = write.runs.iter().map(Run::bytes).sum();
        self.appended.fetch_add(bytes, Ordering::Relaxed);
        let mut retention = self.retention();
        for (seqs, run) in write.numbered() {
            retention.note(*seqs.start(), &run.part);
        }
    }

    /// Checks whether a queued append may be written. One that was queued before the stream was closed may,
    /// but none once the stream is released or its readers have seen the end.
    pub(super) fn check_written(&self) -> Result<(), AppendError> {
        match *self.phase() {
            Phase::Fenced => Err(AppendError::Fenced),
            Phase::Open | Phase::Closed if self.ring.bounds().closed => Err(AppendError::Closed),
            Phase::Open | Phase::Closed => Ok(()),
        }
    }

    /// Protects the rows after `after` from retention, until the lag budget is spent.
    fn hold(self: &Arc<Self>, after: u64) -> Option<HoldGuard> {
        self.shared.config.window_events?;
        let until = self.appended.load(Ordering::Relaxed) + self.shared.config.recent.lag_budget as u64;
        let hold = Arc::new(Hold::new(after, until));
        lock(&self.holds).push(Arc::downgrade(&hold));
        let stream = Arc::clone(self);
        // In an open stream, a later append removes what was held. In a closed one nothing follows.
        let ended = move || {
            if stream.ring.bounds().closed {
                stream.look_after();
            }
        };
        Some(HoldGuard::new(hold, ended))
    }

    /// The lowest sequence number that a reader still has to get from the database.
    fn held(&self) -> Option<u64> {
        let appended = self.appended.load(Ordering::Relaxed);
        let mut holds = lock(&self.holds);
        holds.retain(|hold| hold.strong_count() > 0);
        holds.iter().filter_map(Weak::upgrade).filter_map(|hold| hold.next(appended)).min()
    }
}

impl From<LogError> for TailError {
    fn from(error: LogError) -> Self {
        Self::Unavailable(error.into())
    }
}
