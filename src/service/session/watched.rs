//! A session's stream with metrics of its readers and what they receive. It says why a reader is cut off.

use std::{
    fmt,
    ops::RangeInclusive,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use serde_json::json;

use crate::{
    layers::resume::{
        AppendError, Attached, Batch, Bounds, Chunk, Cursor, Event, EventLog, EventStream, Evicted, Readers,
        Tail, TailError, encode_frame,
    },
    metrics::{Attach, ReaderMetrics},
    service::session::{
        live::{Ending, LiveSession},
        place::Place,
    },
};

/// A stream that counts its readers in the metrics and records the start of each in the request's span.
///
/// A reader that has not read everything when the session's events are deleted gets an `error` that says so.
#[derive(Clone)]
pub struct WatchedStream<S> {
    stream: S,
    ending: Ending,
    /// The session, if it is in memory here.
    live: Option<Arc<LiveSession<S>>>,
    /// A HEAD request asks as a reader would, and is none.
    is_reader: bool,
}

impl<S> WatchedStream<S> {
    pub(crate) fn of<L: EventLog<Stream = S>>(place: &Place<L>, is_reader: bool) -> Self
    where
        S: Clone,
    {
        let live = match place {
            Place::Here(live) => Some(Arc::clone(live)),
            Place::Elsewhere(_) => None,
        };
        Self { stream: place.stream().clone(), ending: place.ending().clone(), live, is_reader }
    }
}

impl<S: EventStream> EventStream for WatchedStream<S> {
    type Tail = WatchedTail<S::Tail>;

    async fn append(&self, batch: Batch) -> Result<RangeInclusive<u64>, AppendError> {
        self.stream.append(batch).await
    }

    async fn tail(&self, cursor: Cursor) -> Result<Self::Tail, TailError> {
        let tail = self.stream.tail(cursor).await;
        if self.is_reader {
            attach(cursor, &tail).count();
        }
        let tail = tail?;
        if let Some(live) = self.live.as_ref().filter(|_| self.is_reader) {
            live.reader_came();
        }
        let given = tail.attached().after;
        tracing::Span::current().record("from_seq", given + 1);
        Ok(WatchedTail { tail, given, ending: self.ending.clone(), metrics: ReaderMetrics::attached() })
    }

    fn close(&self) {
        self.stream.close();
    }

    fn release(&self) {
        self.stream.release();
    }

    fn bounds(&self) -> Bounds {
        self.stream.bounds()
    }

    fn readers(&self) -> Readers {
        self.stream.readers()
    }

    async fn newest(&self, name: &str, limit: usize) -> Result<Vec<Event>, TailError> {
        self.stream.newest(name, limit).await
    }
}

impl<S: fmt::Debug> fmt::Debug for WatchedStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchedStream").field("stream", &self.stream).finish_non_exhaustive()
    }
}

fn attach<T>(cursor: Cursor, tail: &Result<T, TailError>) -> Attach {
    match (tail, cursor) {
        (Ok(_), Cursor::Oldest) => Attach::Fresh,
        (Ok(_), Cursor::After(_)) => Attach::Resumed,
        (Err(TailError::Evicted(_) | TailError::Forgotten), _) => Attach::Gone,
        (Err(TailError::Ahead { .. }), _) => Attach::Ahead,
        (Err(_), _) => Attach::Unavailable,
    }
}

/// A reader of a [`WatchedStream`].
pub struct WatchedTail<T> {
    tail: T,
    given: u64,
    ending: Ending,
    metrics: ReaderMetrics,
}

impl<T: Tail> Tail for WatchedTail<T> {
    fn attached(&self) -> &Attached {
        self.tail.attached()
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Chunk, Evicted>>> {
        let polled = self.poll_counted(cx);
        if let Poll::Ready(Some(Err(_))) = &polled
            && self.tail.was_forgotten()
            && let Some(frame) = self.ending.frame()
        {
            // Nothing comes after an `Err`, so this is the last frame.
            return Poll::Ready(Some(Ok(Chunk { bytes: frame, last_seq: self.given })));
        }
        if let Poll::Ready(Some(Err(_))) = &polled {
            self.metrics.evicted();
        }
        polled
    }

    fn was_forgotten(&self) -> bool {
        self.tail.was_forgotten()
    }
}

impl<T: Tail> WatchedTail<T> {
    /// Like `poll_chunk`, without a frame that says why the reader is cut off.
    pub(crate) fn poll_counted(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Chunk, Evicted>>> {
        let polled = self.tail.poll_chunk(cx);
        if let Poll::Ready(Some(Ok(chunk))) = &polled {
            self.metrics.given(chunk.last_seq - self.given, chunk.bytes.len());
            self.given = chunk.last_seq;
        }
        polled
    }

    pub(crate) fn count_eviction(&self) {
        self.metrics.evicted();
    }
}

impl Ending {
    /// The last frame of a reader whose unread events are gone because the session or the server ends.
    fn frame(&self) -> Option<Bytes> {
        let (code, message) = match () {
            () if self.server.is_cancelled() => (
                "server_shutdown",
                "The server is shutting down; events that this reader has not read are lost.",
            ),
            () if self.session.is_cancelled() => {
                ("session_closed", "The session has ended; events that this reader has not read are deleted.")
            }
            () => return None,
        };
        let data = json!({"code": code, "message": message}).to_string();
        Some(encode_frame(None, "error", data.as_bytes()))
    }
}

impl<T: fmt::Debug> fmt::Debug for WatchedTail<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchedTail").field("tail", &self.tail).finish_non_exhaustive()
    }
}
