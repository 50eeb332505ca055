//! The seam: what an event log promises.

use std::{
    borrow::Cow,
    fmt,
    future::Future,
    ops::RangeInclusive,
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;

/// One event to append: a name and a payload. The log gives it its sequence number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The `event:` field, one line. Empty: the field is left out.
    pub name: Cow<'static, str>,
    /// The `data:` field. Every line break in it (`\n`, `\r\n` or `\r`) starts a further `data:` line.
    pub data: Bytes,
}

impl Event {
    /// An event of this name and payload.
    pub fn new(name: impl Into<Cow<'static, str>>, data: impl Into<Bytes>) -> Self {
        Self { name: name.into(), data: data.into() }
    }
}

/// What one [`EventStream::append`] stores, all of it or nothing.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The events, in order.
    pub events: Vec<Event>,
    /// When given, replaces the stream's note: a summary of everything up to this batch that every new
    /// tail is given between replay and live.
    pub note: Option<Bytes>,
}

impl Batch {
    /// These events, and the note as it was.
    #[must_use]
    pub fn new(events: Vec<Event>) -> Self {
        Self { events, note: None }
    }
}

impl From<Event> for Batch {
    fn from(event: Event) -> Self {
        Self::new(vec![event])
    }
}

/// Where a reader wants to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cursor {
    /// At the oldest event held.
    Oldest,
    /// After this sequence number; `After(0)` wants everything from the first event on.
    After(u64),
}

/// What a stream holds at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The oldest sequence number a new reader can be given; `last + 1` when the stream is empty.
    pub oldest: u64,
    /// The newest sequence number; 0 when nothing was ever appended.
    pub last: u64,
    /// No further event comes.
    pub closed: bool,
}

impl Bounds {
    /// The bounds of a stream to which nothing was appended yet.
    pub const EMPTY: Self = Self { oldest: 1, last: 0, closed: false };

    /// The sequence number after which a reader that wants `cursor` starts.
    ///
    /// # Errors
    /// [`TailError::Evicted`] when an event after the cursor is no longer held (a cursor right before the
    /// oldest event misses none), [`TailError::Ahead`] when the cursor is past the newest event.
    pub fn admit(&self, cursor: Cursor) -> Result<u64, TailError> {
        match cursor {
            Cursor::Oldest => Ok(self.oldest.saturating_sub(1)),
            Cursor::After(after) if after > self.last => Err(TailError::Ahead { after, last: self.last }),
            Cursor::After(after) if after + 1 < self.oldest => {
                Err(TailError::Evicted(Evicted { after, oldest: self.oldest }))
            }
            Cursor::After(after) => Ok(after),
        }
    }
}

/// A stream's [`Bounds`] and note, as they were when a tail was attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// The tail gives everything after this sequence number. Equal to `bounds.last`: there is nothing to
    /// replay.
    pub after: u64,
    /// The bounds at that moment.
    pub bounds: Bounds,
    /// The note at that moment.
    pub note: Option<Bytes>,
}

/// The readers of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readers {
    /// How many tails are attached now.
    pub attached: usize,
    /// When the newest of those that left did so.
    pub last_detached: Option<Instant>,
}

/// Finished frames, ready for the wire.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// One or more whole SSE frames.
    pub bytes: Bytes,
    /// The sequence number of the last frame in it.
    pub last_seq: u64,
}

/// The reader fell behind by more than its lag budget: events it has not read are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evicted {
    /// The last sequence number the reader was given.
    pub after: u64,
    /// The oldest one still held.
    pub oldest: u64,
}

impl fmt::Display for Evicted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { after, oldest } = self;
        write!(f, "the events after {after} are no longer all held: the oldest held is {oldest}")
    }
}

impl std::error::Error for Evicted {}

/// Why [`EventStream::tail`] gives no tail.
#[derive(Debug)]
#[non_exhaustive]
pub enum TailError {
    /// Events after the cursor are no longer held.
    Evicted(Evicted),
    /// The cursor is ahead of the newest event.
    Ahead {
        /// What was asked for.
        after: u64,
        /// The newest event there is.
        last: u64,
    },
    /// The log could not be read now.
    Unavailable(Box<dyn std::error::Error + Send + Sync>),
}

impl fmt::Display for TailError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Evicted(evicted) => evicted.fmt(f),
            Self::Ahead { after, last } => {
                write!(f, "event {after} was never sent: the newest event is {last}")
            }
            Self::Unavailable(_) => f.write_str("the event log cannot be read now"),
        }
    }
}

impl std::error::Error for TailError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unavailable(source) => Some(&**source),
            Self::Evicted(_) | Self::Ahead { .. } => None,
        }
    }
}

/// Why a batch was not stored.
#[derive(Debug)]
#[non_exhaustive]
pub enum AppendError {
    /// The stream was closed.
    Closed,
    /// The stream was released, or another writer has taken it over. What was on the way may be stored.
    Fenced,
    /// The log could not store it.
    Unavailable(Box<dyn std::error::Error + Send + Sync>),
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the stream is closed"),
            Self::Fenced => f.write_str("the stream is not written here any more"),
            Self::Unavailable(_) => f.write_str("the event log cannot be written to now"),
        }
    }
}

impl std::error::Error for AppendError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unavailable(source) => Some(&**source),
            Self::Closed | Self::Fenced => None,
        }
    }
}

/// Keyed streams of events.
///
/// ```
/// use std::future::poll_fn;
///
/// use agent_webkit_layers::resume::{Cursor, Event, EventLog, EventStream, RingLog, Tail};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let log = RingLog::default();
/// let stream = log.open("news").await?;
/// assert_eq!(stream.append(Event::new("line", "one").into()).await?, 1..=1);
///
/// let mut tail = stream.tail(Cursor::Oldest).await?;
/// let chunk = poll_fn(|cx| tail.poll_chunk(cx)).await.expect("there is an event")?;
/// assert_eq!(chunk.bytes, "id: 1\nevent: line\ndata: one\n\n");
///
/// stream.close();
/// assert!(poll_fn(|cx| tail.poll_chunk(cx)).await.is_none(), "and nothing more comes");
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event log",
    note = "`RingLog` keeps events in memory; agent-webkit's `DurableLog` keeps them in a database"
)]
pub trait EventLog: Clone + Send + Sync + 'static {
    /// One key's stream.
    type Stream: EventStream;
    /// What goes wrong with the log itself.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The stream of `key`, created when there is none. This process writes it from here on: where a log
    /// is shared, appends of whoever opened it before fail with [`AppendError::Fenced`].
    fn open(&self, key: &str) -> impl Future<Output = Result<Self::Stream, Self::Error>> + Send;
    /// The stream of `key`, if there is one.
    fn find(&self, key: &str) -> impl Future<Output = Result<Option<Self::Stream>, Self::Error>> + Send;
    /// Drops the stream of `key` and all it holds. Its tails end: with [`Evicted`] where there were events
    /// still to read, so that nobody takes the end of the log for the end of the stream.
    fn forget(&self, key: &str) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// One stream of events: appended to by one writer, read by any number of tails.
pub trait EventStream: Clone + Send + Sync + 'static {
    /// A reader of this stream.
    type Tail: Tail;

    /// Stores the batch, then shows it to the tails. Gives the sequence numbers it got; an empty batch
    /// gives an empty range.
    fn append(&self, batch: Batch) -> impl Future<Output = Result<RangeInclusive<u64>, AppendError>> + Send;
    /// Attaches a reader.
    fn tail(&self, cursor: Cursor) -> impl Future<Output = Result<Self::Tail, TailError>> + Send;
    /// Ends the stream: no further append, and tails end once they have given everything.
    fn close(&self);
    /// Lets go of the stream without an end to it in the log, where it can be opened again, here or
    /// elsewhere: no further append, tails end once they have given everything that was shown, and what
    /// nobody has still to read is freed. A log in memory has then nothing left of it.
    fn release(&self);
    /// What the stream holds now.
    fn bounds(&self) -> Bounds;
    /// The readers at this moment.
    fn readers(&self) -> Readers;
    /// The newest `limit` events of this name, oldest first, for a writer that reads its own events back. The default
    /// reads the whole stream; a log that can look events up by name does better.
    fn newest(&self, name: &str, limit: usize) -> impl Future<Output = Result<Vec<Event>, TailError>> + Send {
        super::read_back::newest(self, name, limit)
    }
}

/// One reader's place in a stream. Dropping it detaches the reader.
pub trait Tail: Send + Unpin + 'static {
    /// How the stream stood when this tail was attached.
    fn attached(&self) -> &Attached;
    /// The next frames, at least one and, as far as they lie together, up to a chunk's size; `None` after the last one of a
    /// closed or released stream, and for ever after an `Err`. A chunk never reaches over the newest event
    /// of [`Tail::attached`]: what is replay and what is live come apart there.
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Chunk, Evicted>>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_right_before_the_oldest_event_misses_nothing() {
        let bounds = Bounds { oldest: 5, last: 9, closed: false };
        assert_eq!(bounds.admit(Cursor::Oldest).unwrap(), 4);
        assert_eq!(bounds.admit(Cursor::After(4)).unwrap(), 4);
        assert_eq!(bounds.admit(Cursor::After(9)).unwrap(), 9);
        let evicted = bounds.admit(Cursor::After(3)).unwrap_err();
        assert!(matches!(evicted, TailError::Evicted(Evicted { after: 3, oldest: 5 })));
        assert!(matches!(bounds.admit(Cursor::After(10)), Err(TailError::Ahead { after: 10, last: 9 })));
        assert!(matches!(bounds.admit(Cursor::After(u64::MAX)), Err(TailError::Ahead { .. })));
    }

    #[test]
    fn an_empty_stream_admits_the_very_start_only() {
        assert_eq!(Bounds::EMPTY.admit(Cursor::Oldest).unwrap(), 0);
        assert_eq!(Bounds::EMPTY.admit(Cursor::After(0)).unwrap(), 0);
        assert!(Bounds::EMPTY.admit(Cursor::After(1)).is_err());
    }
}
