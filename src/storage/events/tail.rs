use std::task::{Context, Poll, ready};

use super::replay::{Replay, Replayed};
use crate::layers::resume::{Attached, Chunk, Evicted, RingTail, Tail};

/// A reader of a [`DurableStream`](super::DurableStream): first from the database, then from memory.
#[derive(Debug)]
pub struct DurableTail {
    attached: Attached,
    replay: Option<Replay>,
    /// `None` for a stream that is not open here, which is only replayed.
    live: Option<RingTail>,
    /// The stream was deleted before the replay was over.
    deleted: bool,
}

impl DurableTail {
    pub(super) fn new(attached: Attached, replay: Option<Replay>, live: Option<RingTail>) -> Self {
        Self { attached, replay, live, deleted: false }
    }

    fn end(&mut self) {
        self.replay = None;
        self.live = None;
    }
}

impl Tail for DurableTail {
    fn attached(&self) -> &Attached {
        &self.attached
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Chunk, Evicted>>> {
        if let Some(replay) = &mut self.replay {
            match ready!(replay.poll_next(cx)) {
                Replayed::Chunk(chunk) => return Poll::Ready(Some(Ok(chunk))),
                Replayed::Over => self.replay = None,
                Replayed::Evicted(evicted) => {
                    self.end();
                    return Poll::Ready(Some(Err(evicted)));
                }
                Replayed::Deleted(evicted) => {
                    self.end();
                    self.deleted = true;
                    return Poll::Ready(Some(Err(evicted)));
                }
                Replayed::Broken => self.end(),
            }
        }
        match &mut self.live {
            Some(live) => live.poll_chunk(cx),
            None => Poll::Ready(None),
        }
    }

    fn was_forgotten(&self) -> bool {
        self.deleted || self.live.as_ref().is_some_and(Tail::was_forgotten)
    }
}
