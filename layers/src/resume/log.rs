//! The traits of an event log, and the types in their signatures.

use std::{
    borrow::Cow,
    collections::VecDeque,
    fmt,
    future::{Future, poll_fn, ready},
    ops::RangeInclusive,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::EventParser;

/// One event to append: a name and a payload. The event log assigns its sequence number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The `event:` field, one line. If it is empty, the frame has no such field.
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

/// The events and the note that one [`EventStream::append`] stores atomically.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The events, in order.
    pub events: Vec<Event>,
    /// If given, replaces the stream's note: a summary of all events up to this batch, which a new tail receives
    /// in [`Attached`].
    pub note: Option<Bytes>,
    /// Records for whoever passes the events on. A durable log stores them in the same transaction, in its outbox, and shows
    /// them to no reader; a log in memory drops them.
    pub outbox: Vec<Bytes>,
}

impl Batch {
    /// A batch of these events that leaves the note unchanged.
    #[must_use]
    pub fn new(events: Vec<Event>) -> Self {
        Self { events, ..Self::default() }
    }
}

impl From<Event> for Batch {
    fn from(event: Event) -> Self {
        Self::new(vec![event])
    }
}

/// Where a reader starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cursor {
    /// At the oldest event held.
    Oldest,
    /// After this sequence number; `After(0)` starts at the first event.
    After(u64),
}

/// The range of events that a stream holds at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The oldest sequence number that a new reader can read; `last + 1` when the stream is empty.
    pub oldest: u64,
    /// The newest sequence number; 0 if nothing was ever appended.
    pub last: u64,
    /// Whether the stream is closed, so that no further event follows.
    pub closed: bool,
}

impl Bounds {
    /// The bounds of a stream to which nothing was appended yet.
    pub const EMPTY: Self = Self { oldest: 1, last: 0, closed: false };

    /// The sequence number after which a reader with this cursor starts.
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
    /// The tail returns the events after this sequence number. If it equals `bounds.last`, there is nothing to
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
    /// Number of tails that are attached now.
    pub attached: usize,
    /// When a tail was last detached, if ever.
    pub last_detached: Option<Instant>,
}

/// Encoded frames, ready to be sent.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// One or more whole SSE frames.
    pub bytes: Bytes,
    /// The sequence number of the last frame in it.
    pub last_seq: u64,
}

/// The reader fell behind by more than its lag budget, and events that it has not read are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evicted {
    /// The last sequence number that the reader has read.
    pub after: u64,
    /// The oldest sequence number still held.
    pub oldest: u64,
}

impl fmt::Display for Evicted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { after, oldest } = self;
        write!(f, "the events after {after} are no longer all held: the oldest held is {oldest}")
    }
}

impl std::error::Error for Evicted {}

/// Why [`EventStream::tail`] failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum TailError {
    /// Events after the cursor are no longer held.
    Evicted(Evicted),
    /// The cursor is ahead of the newest event.
    Ahead {
        /// The cursor's sequence number.
        after: u64,
        /// The newest sequence number.
        last: u64,
    },
    /// The stream was deleted, here or by another process.
    Forgotten,
    /// Another writer has taken the stream over, so that nothing can be said here about its newest events.
    Fenced,
    /// The event log cannot be read now.
    Unavailable(Box<dyn std::error::Error + Send + Sync>),
}

impl fmt::Display for TailError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Evicted(evicted) => evicted.fmt(f),
            Self::Ahead { after, last } => {
                write!(f, "event {after} was never sent: the newest event is {last}")
            }
            Self::Forgotten => f.write_str("the stream was deleted"),
            Self::Fenced => f.write_str("the stream is not written here any more"),
            Self::Unavailable(_) => f.write_str("the event log cannot be read now"),
        }
    }
}

impl std::error::Error for TailError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unavailable(source) => Some(&**source),
            Self::Evicted(_) | Self::Ahead { .. } | Self::Forgotten | Self::Fenced => None,
        }
    }
}

/// Why a batch was not stored.
#[derive(Debug)]
#[non_exhaustive]
pub enum AppendError {
    /// The stream was closed.
    Closed,
    /// The stream was released, or another writer has taken it over. The batch may have been stored nevertheless.
    Fenced,
    /// The event log cannot store the batch now.
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
    /// The stream of one key.
    type Stream: EventStream;
    /// The error of the event log itself.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Opens the stream of `key` for writing, and creates it if it does not exist. In an event log that several
    /// processes share, appends of an earlier opener fail from then on with [`AppendError::Fenced`].
    fn open(&self, key: &str) -> impl Future<Output = Result<Self::Stream, Self::Error>> + Send;
    /// Opens the stream of `key` if it does not exist yet, and returns `None` if it does. Of several processes that do this
    /// at once, one opens it. The default finds it first, which is enough for a log of one process.
    fn create(&self, key: &str) -> impl Future<Output = Result<Option<Self::Stream>, Self::Error>> + Send {
        async move {
            match self.find(key).await? {
                Some(_) => Ok(None),
                None => self.open(key).await.map(Some),
            }
        }
    }
    /// Finds the stream of `key`, if it exists.
    fn find(&self, key: &str) -> impl Future<Output = Result<Option<Self::Stream>, Self::Error>> + Send;
    /// Finds the stream of `key` for readers, whichever process writes it: its tails also return what is appended after
    /// they were attached, and outlive a change of the writer. The default is [`EventLog::find`], for an event log
    /// that no other process writes.
    fn follow(&self, key: &str) -> impl Future<Output = Result<Option<Self::Stream>, Self::Error>> + Send {
        self.find(key)
    }
    /// The keys of the streams with readers that this process follows and has not opened. The default is none.
    fn followed(&self) -> Vec<String> {
        Vec::new()
    }
    /// Ends the tails of all followed streams, for a process that shuts down. No stream is followed from then on.
    fn end_followed(&self) {}
    /// Drops the stream of `key` with all its events. Its tails end. A tail with unread events ends with
    /// [`Evicted`], so that its reader does not mistake this for the end of the stream.
    fn forget(&self, key: &str) -> impl Future<Output = Result<(), Self::Error>> + Send;
    /// Forgets the streams whose keys begin with `prefix` and to which nothing was appended for the time `idle`, whichever
    /// process wrote them. Returns their number. The default forgets none, for a log that drops old streams by itself.
    fn forget_idle(
        &self,
        prefix: &str,
        idle: Duration,
    ) -> impl Future<Output = Result<u64, Self::Error>> + Send {
        let _ = (prefix, idle);
        ready(Ok(0))
    }
}

/// One stream of events: appended to by one writer, read by any number of tails.
pub trait EventStream: Clone + Send + Sync + 'static {
    /// A reader of this stream.
    type Tail: Tail;

    /// Stores the batch and then makes it visible to the tails. Returns the sequence numbers of its events; for an
    /// empty batch, an empty range.
    fn append(&self, batch: Batch) -> impl Future<Output = Result<RangeInclusive<u64>, AppendError>> + Send;
    /// Attaches a reader.
    fn tail(&self, cursor: Cursor) -> impl Future<Output = Result<Self::Tail, TailError>> + Send;
    /// Closes the stream: further appends fail, and each tail ends after it has returned all events.
    fn close(&self);
    /// Releases the stream without closing it in the event log, so that this or another process can open it again.
    /// Further appends fail, each tail ends after it has returned all visible events, and events that no tail has
    /// yet to read are freed. An event log in memory keeps nothing else of a released stream.
    fn release(&self);
    /// The range of events that the stream holds now.
    fn bounds(&self) -> Bounds;
    /// The readers at this moment.
    fn readers(&self) -> Readers;
    /// The newest `limit` events of this name, oldest first, for a writer that reads its own events back. The default
    /// reads the whole stream; a log that can look events up by name does better.
    fn newest(&self, name: &str, limit: usize) -> impl Future<Output = Result<Vec<Event>, TailError>> + Send {
        newest(self, name, limit)
    }
}

/// One reader's position in a stream. Dropping it detaches the reader.
pub trait Tail: Send + Unpin + 'static {
    /// The stream's bounds and note at the moment when this tail was attached.
    fn attached(&self) -> &Attached;
    /// Returns the next frames: at least one, and more up to the size of a chunk if they are adjacent in memory.
    /// Returns `None` after the last frame of a closed or released stream, and after an `Err`. No chunk reaches
    /// beyond the newest event of [`Tail::attached`] if it starts at or before that event, so replayed and live events
    /// are always in different chunks.
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Chunk, Evicted>>>;
    /// Whether this tail ended with an `Err` because the stream was forgotten, and not because its reader was too slow.
    /// The default says no.
    fn was_forgotten(&self) -> bool {
        false
    }
}

/// The newest `limit` events of this name, oldest first, read from the stream's frames.
async fn newest(stream: &impl EventStream, name: &str, limit: usize) -> Result<Vec<Event>, TailError> {
    let mut tail = stream.tail(Cursor::Oldest).await?;
    let last = tail.attached().bounds.last;
    let mut read = tail.attached().after;
    let mut parser = EventParser::new(usize::MAX);
    let (mut events, mut newest) = (Vec::new(), VecDeque::new());
    while read < last {
        let chunk = match poll_fn(|cx| tail.poll_chunk(cx)).await {
            Some(chunk) => chunk.map_err(TailError::Evicted)?,
            None => break,
        };
        read = chunk.last_seq;
        parser.push(&chunk.bytes, &mut events).expect("no event is longer than usize::MAX");
        for event in events.drain(..).filter(|event| event.name == name) {
            newest.push_back(Event::new(event.name, event.data));
            if newest.len() > limit {
                newest.pop_front();
            }
        }
    }
    Ok(newest.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resume::{RingConfig, RingStream};

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

    #[tokio::test]
    async fn the_newest_events_of_a_name_come_oldest_first() {
        let stream = RingStream::new(RingConfig::default());
        for n in 0..10 {
            stream.append(Event::new("odd", format!("{n}\n{n}")).into()).await.unwrap();
            stream.append(Event::new("even", "x").into()).await.unwrap();
        }
        let expected = [8, 9].map(|n| Event::new("odd", format!("{n}\n{n}")));
        assert_eq!(stream.newest("odd", 2).await.unwrap(), expected);
        assert_eq!(stream.newest("even", 99).await.unwrap().len(), 10);
        assert_eq!(stream.newest("none", 1).await.unwrap(), []);
    }
}
