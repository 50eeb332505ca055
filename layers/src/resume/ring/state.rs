//! What a stream holds, without its locks: frames, the window over them, and where the readers stand.
//!
//! Every frame counts the readers that have it as their next one. The frames before the window can so
//! be freed from the front, without a look at the readers: up to the first that somebody still wants.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::resume::{Bounds, Chunk, Evicted};

use super::RingConfig;

#[derive(Debug)]
struct Frame {
    bytes: Bytes,
    /// The size of all frames from the stream's first up to and including this one.
    end: u64,
    /// So many readers want this frame next.
    readers: usize,
}

impl Frame {
    fn start(&self) -> u64 {
        self.end - self.bytes.len() as u64
    }
}

/// Several frames joined for one reader, kept for the others that stand at the same place.
#[derive(Debug)]
struct Joined {
    first_seq: u64,
    chunk: Chunk,
}

/// What a reader finds at its place.
#[derive(Debug)]
pub(super) enum Found {
    Frames(Chunk),
    Evicted(Evicted),
    Nothing,
    End,
}

#[derive(Debug)]
pub(super) struct State {
    config: RingConfig,
    frames: VecDeque<Frame>,
    /// The sequence number of the first frame.
    first: u64,
    /// The sequence number at which the window starts; `first` is smaller while a reader is behind it.
    oldest: u64,
    /// The size of all frames ever appended.
    end: u64,
    /// So many readers are there, those that were evicted not counted.
    readers: usize,
    /// So many of them have read everything.
    caught_up: usize,
    joined: Option<Joined>,
    closed: bool,
}

impl State {
    /// The state of a stream that holds nothing up to `last`.
    pub(super) fn resume_at(config: RingConfig, last: u64) -> Self {
        Self {
            config,
            frames: VecDeque::new(),
            first: last + 1,
            oldest: last + 1,
            end: 0,
            readers: 0,
            caught_up: 0,
            joined: None,
            closed: false,
        }
    }

    pub(super) fn last(&self) -> u64 {
        self.first + self.frames.len() as u64 - 1
    }

    pub(super) fn bounds(&self) -> Bounds {
        Bounds { oldest: self.oldest, last: self.last(), closed: self.closed }
    }

    pub(super) fn held_bytes(&self) -> u64 {
        self.frames.front().map_or(0, |frame| self.end - frame.start())
    }

    pub(super) fn append(&mut self, frames: impl IntoIterator<Item = Bytes>) {
        for bytes in frames {
            self.end += bytes.len() as u64;
            let readers = std::mem::take(&mut self.caught_up);
            self.frames.push_back(Frame { bytes, end: self.end, readers });
        }
        self.move_window();
        self.free();
    }

    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    /// Closes, and holds only what the readers that are there have still to read.
    pub(super) fn release(&mut self) {
        self.closed = true;
        self.oldest = self.last() + 1;
        self.free();
    }

    /// Closes, and holds nothing any more.
    pub(super) fn forget(&mut self) {
        self.closed = true;
        self.first = self.last() + 1;
        self.oldest = self.first;
        self.frames = VecDeque::new();
        self.readers = self.caught_up;
        self.joined = None;
    }

    /// A reader stands before `next`.
    pub(super) fn enter(&mut self, next: u64) {
        self.readers += 1;
        *self.readers_at(next) += 1;
    }

    /// The reader before `next` is gone.
    pub(super) fn leave(&mut self, next: u64) {
        if next < self.first {
            return;
        }
        self.readers -= 1;
        *self.readers_at(next) -= 1;
        self.free();
        self.drop_joined_when_unused();
    }

    /// What a reader before `next` is given; nothing after `limit`. Moves it on.
    pub(super) fn read(&mut self, next: u64, limit: u64) -> Found {
        if next < self.first {
            return Found::Evicted(Evicted { after: next - 1, oldest: self.oldest });
        }
        if next > self.last() {
            self.drop_joined_when_unused();
            return if self.closed { Found::End } else { Found::Nothing };
        }
        let chunk = self.chunk(next, limit.min(self.last()));
        *self.readers_at(next) -= 1;
        *self.readers_at(chunk.last_seq + 1) += 1;
        self.free();
        Found::Frames(chunk)
    }

    fn chunk(&mut self, next: u64, limit: u64) -> Chunk {
        let from = self.index(next);
        let to = self.chunk_end(from, self.index(limit));
        let last_seq = self.first + to as u64;
        if from == to {
            return Chunk { bytes: self.frames[from].bytes.clone(), last_seq };
        }
        match &self.joined {
            Some(joined) if joined.first_seq == next && joined.chunk.last_seq == last_seq => {
                joined.chunk.clone()
            }
            _ => {
                let chunk = Chunk { bytes: self.join(from, to), last_seq };
                self.joined = Some(Joined { first_seq: next, chunk: chunk.clone() });
                chunk
            }
        }
    }

    /// The index of the last frame of a chunk that starts at `from` and does not reach over `limit`.
    fn chunk_end(&self, from: usize, limit: usize) -> usize {
        let reach = self.frames[from].start() + self.config.chunk_bytes as u64;
        if self.frames[limit].end <= reach {
            return limit;
        }
        let fitting = self.frames.partition_point(|frame| frame.end <= reach);
        fitting.saturating_sub(1).max(from)
    }

    fn join(&self, from: usize, to: usize) -> Bytes {
        let size = self.frames[to].end - self.frames[from].start();
        let mut bytes = Vec::with_capacity(size as usize);
        for frame in self.frames.range(from..=to) {
            bytes.extend_from_slice(&frame.bytes);
        }
        bytes.into()
    }

    fn index(&self, seq: u64) -> usize {
        (seq - self.first) as usize
    }

    fn readers_at(&mut self, seq: u64) -> &mut usize {
        let index = self.index(seq);
        self.frames.get_mut(index).map_or(&mut self.caught_up, |frame| &mut frame.readers)
    }

    fn move_window(&mut self) {
        let last = self.last();
        while self.oldest < last {
            let events = last - self.oldest + 1;
            let bytes = self.end - self.frames[self.index(self.oldest)].start();
            if events <= self.config.window_events.max(1) as u64 && bytes <= self.config.window_bytes as u64 {
                break;
            }
            self.oldest += 1;
        }
    }

    /// Frees the frames before the window that nobody may still read.
    fn free(&mut self) {
        while self.first < self.oldest {
            let Some(frame) = self.frames.front() else { break };
            let over_budget = self.end - frame.start() > self.config.lag_budget as u64;
            if frame.readers > 0 && !over_budget {
                break;
            }
            self.readers -= frame.readers;
            self.frames.pop_front();
            self.first += 1;
        }
        let ample = 4 * self.frames.len().max(64);
        if self.frames.capacity() > ample {
            self.frames.shrink_to(ample / 2);
        }
    }

    /// A joined chunk serves the readers that come by; once all are caught up it only costs memory.
    fn drop_joined_when_unused(&mut self) {
        if self.caught_up == self.readers {
            self.joined = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(state: &mut State, frames: usize) {
        state.append(std::iter::repeat_n(Bytes::from_static(&[b'x'; 10]), frames));
    }

    fn read(state: &mut State, next: &mut u64) {
        match state.read(*next, u64::MAX) {
            Found::Frames(chunk) => *next = chunk.last_seq + 1,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_joined_chunk_is_dropped_once_every_reader_that_can_is_caught_up() {
        let mut state = State::resume_at(RingConfig::default().window_events(4).lag_budget(50), 0);
        let (mut first, mut second, evicted) = (1, 1, 1);
        for next in [first, second, evicted] {
            state.enter(next);
        }
        append(&mut state, 3);
        read(&mut state, &mut first);
        assert!(matches!(state.read(first, u64::MAX), Found::Nothing));
        assert!(state.joined.is_some(), "the second reader comes yet");
        read(&mut state, &mut second);
        append(&mut state, 3);
        read(&mut state, &mut first);
        read(&mut state, &mut second);
        assert!(matches!(state.read(evicted, u64::MAX), Found::Evicted(_)));
        assert!(matches!(state.read(second, u64::MAX), Found::Nothing));
        assert!(state.joined.is_none());
    }

    #[test]
    fn the_room_of_a_burst_is_given_back() {
        let mut state = State::resume_at(RingConfig::default().window_events(10), 0);
        state.enter(1);
        append(&mut state, 10_000);
        assert!(state.frames.capacity() >= 10_000);
        state.leave(1);
        assert!(state.frames.capacity() < 500);
        assert_eq!(state.held_bytes(), 100);
    }
}
