//! A session's stream with metrics of its readers and what they receive.

use std::{
    fmt,
    ops::RangeInclusive,
    task::{Context, Poll},
};

use crate::{
    layers::resume::{
        AppendError, Attached, Batch, Bounds, Chunk, Cursor, Event, EventStream, Evicted, Readers, Tail,
        TailError,
    },
    metrics::{Attach, ReaderMetrics},
};

/// A stream that counts its readers in the metrics and records the start of each in the request's span.
#[derive(Clone, Debug)]
pub struct WatchedStream<S>(S);

impl<S> WatchedStream<S> {
    pub(super) const fn new(stream: S) -> Self {
        Self(stream)
    }
}

impl<S: EventStream> EventStream for WatchedStream<S> {
    type Tail = WatchedTail<S::Tail>;

    async fn append(&self, batch: Batch) -> Result<RangeInclusive<u64>, AppendError> {
        self.0.append(batch).await
    }

    async fn tail(&self, cursor: Cursor) -> Result<Self::Tail, TailError> {
        let tail = self.0.tail(cursor).await;
        attach(cursor, &tail).count();
        let tail = tail?;
        let given = tail.attached().after;
        tracing::Span::current().record("from_seq", given + 1);
        Ok(WatchedTail { tail, given, metrics: ReaderMetrics::attached() })
    }

    fn close(&self) {
        self.0.close();
    }

    fn release(&self) {
        self.0.release();
    }

    fn bounds(&self) -> Bounds {
        self.0.bounds()
    }

    fn readers(&self) -> Readers {
        self.0.readers()
    }

    async fn newest(&self, name: &str, limit: usize) -> Result<Vec<Event>, TailError> {
        self.0.newest(name, limit).await
    }
}

fn attach<T>(cursor: Cursor, tail: &Result<T, TailError>) -> Attach {
    match (tail, cursor) {
        (Ok(_), Cursor::Oldest) => Attach::Fresh,
        (Ok(_), Cursor::After(_)) => Attach::Resumed,
        (Err(TailError::Evicted(_)), _) => Attach::Gone,
        (Err(TailError::Ahead { .. }), _) => Attach::Ahead,
        (Err(_), _) => Attach::Unavailable,
    }
}

/// A reader of a [`WatchedStream`].
pub struct WatchedTail<T> {
    tail: T,
    given: u64,
    metrics: ReaderMetrics,
}

impl<T: Tail> Tail for WatchedTail<T> {
    fn attached(&self) -> &Attached {
        self.tail.attached()
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Chunk, Evicted>>> {
        let polled = self.tail.poll_chunk(cx);
        match &polled {
            Poll::Ready(Some(Ok(chunk))) => {
                self.metrics.given(chunk.last_seq - self.given, chunk.bytes.len());
                self.given = chunk.last_seq;
            }
            Poll::Ready(Some(Err(_))) => self.metrics.evicted(),
            Poll::Ready(None) | Poll::Pending => {}
        }
        polled
    }
}

impl<T: fmt::Debug> fmt::Debug for WatchedTail<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchedTail").field("tail", &self.tail).finish_non_exhaustive()
    }
}
