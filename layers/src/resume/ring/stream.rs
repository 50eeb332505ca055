use std::{
    fmt,
    ops::RangeInclusive,
    sync::{Arc, Mutex},
    time::Instant,
};

use bytes::Bytes;

use crate::resume::{AppendError, Batch, Bounds, Cursor, EventStream, Readers, TailError};

use super::{
    RingConfig, RingTail,
    shared::{Inner, Shared},
    state::State,
    waiters::Waiters,
};

/// An event stream in memory, in a [`RingLog`](super::RingLog) or alone.
///
/// A tail reads from the shared frames when it is woken: a reader costs a position and a waker but no queue, and
/// readers at the same position receive the same bytes. All futures of this type are ready at once.
///
/// ```
/// use agent_webkit_layers::resume::{Bounds, Event, EventStream, RingConfig, RingStream};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let news = RingStream::new(RingConfig::default().window_events(2));
/// for text in ["one", "two", "three"] {
///     news.append(Event::new("line", text).into()).await?;
/// }
/// assert_eq!(news.bounds(), Bounds { oldest: 2, last: 3, closed: false });
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RingStream {
    shared: Arc<Shared>,
}

impl RingStream {
    /// An empty stream with this configuration.
    #[must_use]
    pub fn new(config: RingConfig) -> Self {
        Self::resume_at(config, 0, None)
    }

    /// A stream without events that continues after `last_seq`, with the note that the stream had there.
    #[must_use]
    pub fn resume_at(config: RingConfig, last_seq: u64, note: Option<Bytes>) -> Self {
        let state = State::resume_at(config, last_seq);
        let inner = Inner {
            state,
            note,
            waiters: Waiters::default(),
            last_detached: None,
            appended_at: Instant::now(),
        };
        Self { shared: Arc::new(Shared { appending: Mutex::default(), inner: Mutex::new(inner) }) }
    }

    /// The size in bytes of the frames in memory: those in the window, and those kept for readers behind it.
    #[must_use]
    pub fn held_bytes(&self) -> u64 {
        self.shared.lock().state.held_bytes()
    }

    /// When it was made, or last appended to.
    pub(super) fn appended_at(&self) -> Instant {
        self.shared.lock().appended_at
    }

    /// Closes the stream and drops all its events. Its tails end as after
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
