//! The state that a stream shares with its readers, behind two locks.

use std::{
    ops::RangeInclusive,
    sync::{Mutex, MutexGuard},
    task::{Poll, Waker},
    time::Instant,
};

use bytes::Bytes;

use super::{
    blocks::Encoded,
    state::{Found, State},
    waiters::Waiters,
};
use crate::{
    resume::{AppendError, Attached, Batch, Chunk, Cursor, Evicted, TailError},
    sync::lock,
};

pub(super) struct Shared {
    /// Held during a whole append, so that frames are encoded while `inner` is free for readers. It holds the list of
    /// wakers, whose allocation is reused by the next append. Lock it before `inner`.
    pub(super) appending: Mutex<Vec<Waker>>,
    pub(super) inner: Mutex<Inner>,
}

pub(super) struct Inner {
    pub(super) state: State,
    pub(super) note: Option<Bytes>,
    pub(super) waiters: Waiters,
    pub(super) last_detached: Option<Instant>,
    pub(super) appended_at: Instant,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }

    pub(super) fn append(&self, batch: Batch) -> Result<RangeInclusive<u64>, AppendError> {
        let mut appending = lock(&self.appending);
        let (first, block_bytes) = {
            let inner = self.lock();
            (inner.state.last() + 1, inner.state.block_bytes())
        };
        let last = first + batch.events.len() as u64 - 1;
        let encoded = Encoded::new(first, &batch.events, block_bytes);

        let mut wakers = std::mem::take(&mut *appending);
        let replaced_note;
        {
            let mut inner = self.lock();
            if inner.state.bounds().closed {
                return Err(AppendError::Closed);
            }
            inner.appended_at = Instant::now();
            replaced_note = batch.note.map(|note| inner.note.replace(note));
            if !batch.events.is_empty() {
                inner.state.append(encoded);
                inner.waiters.drain_into(&mut wakers);
            }
        }
        drop(appending);
        drop(replaced_note);

        wakers.drain(..).for_each(Waker::wake);
        if let Ok(mut appending) = self.appending.try_lock() {
            *appending = wakers;
        }
        Ok(first..=last)
    }

    pub(super) fn attach(&self, cursor: Cursor) -> Result<(Place, Attached), TailError> {
        let mut inner = self.lock();
        if inner.state.is_forgotten() {
            return Err(TailError::Forgotten);
        }
        let bounds = inner.state.bounds();
        let after = bounds.admit(cursor)?;
        inner.state.enter(after + 1);
        let place = Place { next: after + 1, waiter: inner.waiters.add() };
        Ok((place, Attached { after, bounds, note: inner.note.clone() }))
    }

    /// The next chunk for the reader at `place`, with no event after `limit`.
    pub(super) fn poll(
        &self,
        place: &mut Place,
        limit: u64,
        waker: &Waker,
    ) -> Poll<Option<Result<Chunk, Evicted>>> {
        let mut inner = self.lock();
        match inner.state.read(place.next, limit) {
            Found::Frames(chunk) => {
                place.next = chunk.last_seq + 1;
                Poll::Ready(Some(Ok(chunk)))
            }
            Found::Evicted(evicted) => Poll::Ready(Some(Err(evicted))),
            Found::End => Poll::Ready(None),
            Found::Nothing => {
                let displaced = inner.waiters.wait(place.waiter, waker);
                drop(inner);
                drop(displaced);
                Poll::Pending
            }
        }
    }

    pub(super) fn detach(&self, place: &Place) {
        let mut inner = self.lock();
        inner.state.leave(place.next);
        inner.last_detached = Some(Instant::now());
        let waker = inner.waiters.remove(place.waiter);
        drop(inner);
        drop(waker);
    }

    pub(super) fn end(&self, how: impl FnOnce(&mut State)) {
        let mut wakers = Vec::new();
        {
            let mut inner = self.lock();
            how(&mut inner.state);
            inner.waiters.drain_into(&mut wakers);
        }
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// The position of a reader, and its slot in the list of waiters.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) next: u64,
    waiter: usize,
}
