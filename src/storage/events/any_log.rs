//! An event log chosen at run time: in memory or in a database.

use std::{
    ops::RangeInclusive,
    task::{Context, Poll},
    time::Duration,
};

use super::{DurableLog, DurableStream, DurableTail, LogError};
use crate::layers::resume::{
    AppendError, Attached, Batch, Bounds, Chunk, Cursor, Event, EventLog, EventStream, Evicted, Readers,
    RingLog, RingStream, RingTail, Tail, TailError,
};

/// An event log, in memory or in a database.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AnyLog {
    /// In memory.
    Ring(RingLog),
    /// In a database.
    Durable(DurableLog),
}

/// A stream of an [`AnyLog`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AnyStream {
    /// In memory.
    Ring(RingStream),
    /// In a database.
    Durable(DurableStream),
}

/// A reader of an [`AnyStream`].
#[derive(Debug)]
#[non_exhaustive]
pub enum AnyTail {
    /// In memory.
    Ring(RingTail),
    /// In a database.
    Durable(DurableTail),
}

/// Evaluates an expression for either kind.
macro_rules! each {
    ($kind:ident, $self:expr, $inner:ident => $does:expr) => {
        match $self {
            $kind::Ring($inner) => $does,
            $kind::Durable($inner) => $does,
        }
    };
}

impl EventLog for AnyLog {
    type Stream = AnyStream;
    type Error = LogError;

    async fn open(&self, key: &str) -> Result<AnyStream, LogError> {
        match self {
            Self::Ring(log) => log.open(key).await.map(AnyStream::Ring).map_err(|never| match never {}),
            Self::Durable(log) => log.open(key).await.map(AnyStream::Durable),
        }
    }

    async fn create(&self, key: &str) -> Result<Option<AnyStream>, LogError> {
        match self {
            Self::Ring(log) => {
                log.create(key).await.map(|new| new.map(AnyStream::Ring)).map_err(|never| match never {})
            }
            Self::Durable(log) => Ok(log.create(key).await?.map(AnyStream::Durable)),
        }
    }

    async fn find(&self, key: &str) -> Result<Option<AnyStream>, LogError> {
        match self {
            Self::Ring(log) => {
                log.find(key).await.map(|found| found.map(AnyStream::Ring)).map_err(|never| match never {})
            }
            Self::Durable(log) => Ok(log.find(key).await?.map(AnyStream::Durable)),
        }
    }

    async fn follow(&self, key: &str) -> Result<Option<AnyStream>, LogError> {
        match self {
            Self::Ring(log) => {
                log.follow(key).await.map(|found| found.map(AnyStream::Ring)).map_err(|never| match never {})
            }
            Self::Durable(log) => Ok(log.follow(key).await?.map(AnyStream::Durable)),
        }
    }

    fn followed(&self) -> Vec<String> {
        each!(Self, self, log => log.followed())
    }

    fn end_followed(&self) {
        each!(Self, self, log => log.end_followed());
    }

    async fn forget(&self, key: &str) -> Result<(), LogError> {
        match self {
            Self::Ring(log) => log.forget(key).await.map_err(|never| match never {}),
            Self::Durable(log) => log.forget(key).await,
        }
    }

    async fn forget_idle(&self, prefix: &str, idle: Duration) -> Result<u64, LogError> {
        match self {
            Self::Ring(log) => log.forget_idle(prefix, idle).await.map_err(|never| match never {}),
            Self::Durable(log) => log.forget_idle(prefix, idle).await,
        }
    }
}

impl EventStream for AnyStream {
    type Tail = AnyTail;

    async fn append(&self, batch: Batch) -> Result<RangeInclusive<u64>, AppendError> {
        each!(Self, self, stream => stream.append(batch).await)
    }

    async fn tail(&self, cursor: Cursor) -> Result<AnyTail, TailError> {
        match self {
            Self::Ring(stream) => stream.tail(cursor).await.map(AnyTail::Ring),
            Self::Durable(stream) => stream.tail(cursor).await.map(AnyTail::Durable),
        }
    }

    fn close(&self) {
        each!(Self, self, stream => stream.close());
    }

    fn release(&self) {
        each!(Self, self, stream => stream.release());
    }

    fn bounds(&self) -> Bounds {
        each!(Self, self, stream => stream.bounds())
    }

    fn readers(&self) -> Readers {
        each!(Self, self, stream => stream.readers())
    }

    async fn newest(&self, name: &str, limit: usize) -> Result<Vec<Event>, TailError> {
        each!(Self, self, stream => stream.newest(name, limit).await)
    }
}

impl Tail for AnyTail {
    fn attached(&self) -> &Attached {
        each!(Self, self, tail => tail.attached())
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Chunk, Evicted>>> {
        each!(Self, self, tail => tail.poll_chunk(cx))
    }

    fn was_forgotten(&self) -> bool {
        each!(Self, self, tail => tail.was_forgotten())
    }
}

impl From<RingLog> for AnyLog {
    fn from(log: RingLog) -> Self {
        Self::Ring(log)
    }
}

impl From<DurableLog> for AnyLog {
    fn from(log: DurableLog) -> Self {
        Self::Durable(log)
    }
}
