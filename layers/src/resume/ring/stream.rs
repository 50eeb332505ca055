use std::{
    fmt,
    ops::RangeInclusive,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
    time::Instant,
};

use bytes::Bytes;

use crate::resume::{
    AppendError, Attached, Batch, Bounds, Chunk, Cursor, EventStream, Evicted, Readers, TailError,
};

use super::{
    RingConfig, RingTail,
    blocks::Encoded,
    state::{Found, State},
    waiters::Waiters,
};

/// A stream of a [`RingLog`](super::RingLog), or one by itself.
///
/// Tails are woken, not fed: a reader costs a place and a waker, never a queue, and readers that stand at
/// the same place are given the same bytes. Nothing here waits; the futures are ready at once.
#[derive(Clone)]
pub struct RingStream {
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    /// Held over a whole append, so that frames are encoded without keeping readers waiting. Keeps the
    /// list of those to wake from one append to the next. Taken before `inner`.
    appending: Mutex<Vec<Waker>>,
    inner: Mutex<Inner>,
}

struct Inner {
    state: State,
    note: Option<Bytes>,
    waiters: Waiters,
    last_detached: Option<Instant>,
}

impl RingStream {
    /// An empty stream that keeps what `config` says.
    #[must_use]
    pub fn new(config: RingConfig) -> Self {
        Self::resume_at(config, 0, None)
    }

    /// A stream that goes on after `last_seq`, with the note it had there, and holds nothing before that.
    #[must_use]
    pub fn resume_at(config: RingConfig, last_seq: u64, note: Option<Bytes>) -> Self {
        let state = State::resume_at(config, last_seq);
        let inner = Inner { state, note, waiters: Waiters::default(), last_detached: None };
        Self { shared: Arc::new(Shared { appending: Mutex::default(), inner: Mutex::new(inner) }) }
    }

    /// The size in bytes of the frames in memory: the window, and what is kept for readers behind it.
    #[must_use]
    pub fn held_bytes(&self) -> u64 {
        self.shared.lock().state.held_bytes()
    }

    /// Closes the stream and drops all it holds: its tails end as those of
    /// [`EventLog::forget`](crate::resume::EventLog::forget).
    pub fn forget(&self) {
        self.shared.end(State::forget);
    }
}

impl EventStream for RingStream {
    type Tail = RingTail;

    async fn append(&self, batch: Batch) -> Result<RangeInclusive<u64>, AppendError> {
        self.shared.append(batch)
    }

    async fn tail(&self, cursor: Cursor) -> Result<RingTail, TailError> {
        let (place, attached) = self.shared.attach(cursor)?;
        Ok(RingTail::new(Arc::clone(&self.shared), place, attached))
    }

    fn close(&self) {
        self.shared.end(State::close);
    }

    fn release(&self) {
        self.shared.end(State::release);
    }

    fn bounds(&self) -> Bounds {
        self.shared.lock().state.bounds()
    }

    fn readers(&self) -> Readers {
        let inner = self.shared.lock();
        Readers { attached: inner.waiters.len(), last_detached: inner.last_detached }
    }
}

impl fmt::Debug for RingStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RingStream")
            .field("bounds", &self.bounds())
            .field("readers", &self.readers().attached)
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append(&self, batch: Batch) -> Result<RangeInclusive<u64>, AppendError> {
        let mut appending = self.appending.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, block_bytes) = {
            let inner = self.lock();
            (inner.state.last() + 1, inner.state.block_bytes())
        };
        let last = first + batch.events.len() as u64 - 1;
        let encoded = Encoded::new(first, &batch.events, block_bytes);

        let mut wakers = std::mem::take(&mut *appending);
        let replaced_note;
        {
            let mut inner = self.lock();
            if inner.state.bounds().closed {
                return Err(AppendError::Closed);
            }
            replaced_note = batch.note.map(|note| inner.note.replace(note));
            if !batch.events.is_empty() {
                inner.state.append(encoded);
                inner.waiters.drain_into(&mut wakers);
            }
        }
        drop(appending);
        drop(replaced_note);

        wakers.drain(..).for_each(Waker::wake);
        if let Ok(mut appending) = self.appending.try_lock() {
            *appending = wakers;
        }
        Ok(first..=last)
    }

    fn attach(&self, cursor: Cursor) -> Result<(Place, Attached), TailError> {
        let mut inner = self.lock();
        let bounds = inner.state.bounds();
        let after = bounds.admit(cursor)?;
        inner.state.enter(after + 1);
        let place = Place { next: after + 1, waiter: inner.waiters.add() };
        Ok((place, Attached { after, bounds, note: inner.note.clone() }))
    }

    /// The next chunk for the reader at `place`, up to `limit`.
    pub(super) fn poll(
        &self,
        place: &mut Place,
        limit: u64,
        waker: &Waker,
    ) -> Poll<Option<Result<Chunk, Evicted>>> {
        let mut inner = self.lock();
        match inner.state.read(place.next, limit) {
            Found::Frames(chunk) => {
                place.next = chunk.last_seq + 1;
                Poll::Ready(Some(Ok(chunk)))
            }
            Found::Evicted(evicted) => Poll::Ready(Some(Err(evicted))),
            Found::End => Poll::Ready(None),
            Found::Nothing => {
                let displaced = inner.waiters.wait(place.waiter, waker);
                drop(inner);
                drop(displaced);
                Poll::Pending
            }
        }
    }

    pub(super) fn detach(&self, place: &Place) {
        let mut inner = self.lock();
        inner.state.leave(place.next);
        inner.last_detached = Some(Instant::now());
        let waker = inner.waiters.remove(place.waiter);
        drop(inner);
        drop(waker);
    }

    fn end(&self, how: impl FnOnce(&mut State)) {
        let mut wakers = Vec::new();
        {
            let mut inner = self.lock();
            how(&mut inner.state);
            inner.waiters.drain_into(&mut wakers);
        }
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// Where a reader stands.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) next: u64,
    waiter: usize,
}
