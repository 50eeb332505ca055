use std::{
    fmt,
    ops::RangeInclusive,
    sync::{Arc, Mutex},
};

use bytes::Bytes;

use crate::resume::{AppendError, Batch, Bounds, Cursor, EventStream, Readers, TailError};

use super::{
    RingConfig, RingTail,
    shared::{Inner, Shared},
    state::State,
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
