use std::{fmt, ops::RangeInclusive, sync::Arc};

use super::{
    DurableConfig, LogError,
    backend::StreamRow,
    followed::Followers,
    open_stream::OpenStream,
    replay::{Replay, Source},
    tail::DurableTail,
};
use crate::layers::resume::{
    AppendError, Attached, Batch, Bounds, Cursor, Event, EventStream, Readers, TailError,
};

/// A stream of a [`DurableLog`](super::DurableLog).
///
/// A stream that this process has opened is written here. A stream that was found while it was not open here
/// is read-only, and its tails end after the events that were stored when they were attached.
#[derive(Clone)]
pub struct DurableStream {
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    OpenStream(Arc<OpenStream>),
    View(Arc<View>),
    Followed(Arc<Followed>),
}

/// A stream that another process may write, and that is followed here while it has readers.
struct Followed {
    key: String,
    followers: Followers,
    found: StreamRow,
}

/// A stream that is not open in this process.
struct View {
    key: String,
    source: Source,
    config: DurableConfig,
    found: StreamRow,
}

impl DurableStream {
    pub(super) fn open(open: Arc<OpenStream>) -> Self {
        Self { kind: Kind::OpenStream(open) }
    }

    pub(super) fn view(key: &str, source: Source, config: DurableConfig, found: StreamRow) -> Self {
        Self { kind: Kind::View(Arc::new(View { key: key.to_owned(), source, config, found })) }
    }

    pub(super) fn followed(key: &str, followers: Followers, found: StreamRow) -> Self {
        Self { kind: Kind::Followed(Arc::new(Followed { key: key.to_owned(), followers, found })) }
    }

    /// The row of a stream that is not open here, as it was found.
    fn found(&self) -> Option<&StreamRow> {
        match &self.kind {
            Kind::OpenStream(_) => None,
            Kind::View(view) => Some(&view.found),
            Kind::Followed(followed) => Some(&followed.found),
        }
    }

    /// The size in bytes of the frames in memory.
    #[must_use]
    pub fn held_bytes(&self) -> u64 {
        match &self.kind {
            Kind::OpenStream(open) => open.ring.held_bytes(),
            Kind::View(_) | Kind::Followed(_) => 0,
        }
    }
}

impl EventStream for DurableStream {
    type Tail = DurableTail;

    /// Stores the batch together with everything else that waits to be stored. If this future is dropped,
    /// the batch is either stored and shown or neither. After [`AppendError::Unavailable`], open the stream
    /// again: a failed write releases it, because the database may have stored the batch.
    async fn append(&self, batch: Batch) -> Result<RangeInclusive<u64>, AppendError> {
        match &self.kind {
            Kind::OpenStream(open) => open.append(batch).await,
            _ if self.found().is_some_and(|found| found.closed) => Err(AppendError::Closed),
            _ => Err(AppendError::Fenced),
        }
    }

    async fn tail(&self, cursor: Cursor) -> Result<DurableTail, TailError> {
        match &self.kind {
            Kind::OpenStream(open) => open.tail(cursor).await,
            Kind::View(view) => view.tail(cursor).await,
            Kind::Followed(followed) => followed.followers.tail(&followed.key, cursor).await,
        }
    }

    fn close(&self) {
        if let Kind::OpenStream(open) = &self.kind {
            open.close();
        }
    }

    fn release(&self) {
        if let Kind::OpenStream(open) = &self.kind {
            open.release();
        }
    }

    /// A stream that is not open here returns the bounds that it had when it was found.
    fn bounds(&self) -> Bounds {
        match &self.kind {
            Kind::OpenStream(open) => open.bounds(),
            Kind::View(view) => bounds(&view.config, &view.found),
            Kind::Followed(followed) => bounds(&followed.followers.config, &followed.found),
        }
    }

    fn readers(&self) -> Readers {
        match &self.kind {
            Kind::OpenStream(open) => open.readers(),
            Kind::View(_) | Kind::Followed(_) => Readers { attached: 0, last_detached: None },
        }
    }

    async fn newest(&self, name: &str, limit: usize) -> Result<Vec<Event>, TailError> {
        let (rows, id) = match &self.kind {
            Kind::OpenStream(open) => (&open.shared.source.rows, open.id),
            Kind::View(view) => (&view.source.rows, view.found.id),
            Kind::Followed(followed) => (&followed.followers.source.rows, followed.found.id),
        };
        let newest = rows.newest(id, name, limit).await.map_err(LogError::from)?;
        Ok(newest.into_iter().rev().map(|event| Event::new(event.name.to_string(), event.data)).collect())
    }
}

fn bounds(config: &DurableConfig, row: &StreamRow) -> Bounds {
    Bounds { oldest: config.oldest(row.oldest, row.last), last: row.last, closed: row.closed }
}

impl View {
    async fn tail(&self, cursor: Cursor) -> Result<DurableTail, TailError> {
        let row = self.source.rows.look(&self.key).await.map_err(LogError::from)?;
        let Some(row) = row.filter(|row| row.id == self.found.id) else {
            return Err(TailError::Forgotten);
        };
        let bounds = bounds(&self.config, &row);
        let after = bounds.admit(cursor)?;
        let attached = Attached { after, bounds, note: row.note };
        if after == row.last {
            return Ok(DurableTail::new(attached, None, None));
        }
        let replay = Replay::start(self.source.clone(), row.id, after..row.last, None).await?;
        Ok(DurableTail::new(attached, Some(replay), None))
    }
}

impl fmt::Debug for DurableStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let here = matches!(self.kind, Kind::OpenStream(_));
        f.debug_struct("DurableStream")
            .field("bounds", &self.bounds())
            .field("open", &here)
            .finish_non_exhaustive()
    }
}
