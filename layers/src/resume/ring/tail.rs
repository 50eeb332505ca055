use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll, ready},
};

use crate::resume::{Attached, Chunk, Evicted, Tail};

use super::shared::{Place, Shared};

/// A reader of a [`RingStream`](super::RingStream).
pub struct RingTail {
    shared: Arc<Shared>,
    place: Place,
    attached: Attached,
    ended: bool,
}

impl RingTail {
    pub(super) fn new(shared: Arc<Shared>, place: Place, attached: Attached) -> Self {
        Self { shared, place, attached, ended: false }
    }
}

impl Tail for RingTail {
    fn attached(&self) -> &Attached {
        &self.attached
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Chunk, Evicted>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let replay_end = self.attached.bounds.last;
        let limit = if self.place.next <= replay_end { replay_end } else { u64::MAX };
        let read = ready!(self.shared.poll(&mut self.place, limit, cx.waker()));
        self.ended = !matches!(read, Some(Ok(_)));
        Poll::Ready(read)
    }

    fn was_forgotten(&self) -> bool {
        self.ended && self.shared.lock().state.was_forgotten(self.place.next)
    }
}

impl Drop for RingTail {
    fn drop(&mut self) {
        self.shared.detach(&self.place);
    }
}

impl fmt::Debug for RingTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RingTail")
            .field("next", &self.place.next)
            .field("attached", &self.attached)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}
