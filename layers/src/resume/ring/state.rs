//! The state of a stream, without its locks: the frames, the window over them, and the positions of the readers.
//!
//! Every frame counts the readers whose next frame it is. So the frames before the window can be freed from the
//! front, up to the first one with a reader, without a search through the readers.

use std::collections::VecDeque;

use crate::resume::{Bounds, Chunk, Evicted};

use super::{
    RingConfig,
    blocks::{Blocks, Encoded},
};

#[derive(Debug)]
struct Frame {
    /// The size of all frames from the stream's first up to and including this one.
    end: u64,
    /// Number of readers whose next frame is this one.
    readers: usize,
}

/// The size that is added to each frame's bytes for the lag budget, which bounds memory: frames can be small. It is
/// twice the size of an entry in the queue, because a growing queue has up to twice the capacity that it needs.
const PLACE: u64 = 2 * size_of::<Frame>() as u64;

/// The result of a read at a reader's position.
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
    /// The bytes of the frames.
    blocks: Blocks,
    /// The sequence number of the first frame.
    first: u64,
    /// The size of all frames before the first one.
    begin: u64,
    /// The sequence number at which the window starts; `first` is smaller while a reader is behind it.
    oldest: u64,
    /// The size of all frames ever appended.
    end: u64,
    /// Number of readers that are not evicted.
    readers: usize,
    /// Number of readers that have read everything.
    caught_up: usize,
    closed: bool,
    /// Once the stream is forgotten: the first frame that was held until then.
    forgotten_from: Option<u64>,
}

impl State {
    /// The state of an empty stream whose next event is `last + 1`.
    pub(super) fn resume_at(config: RingConfig, last: u64) -> Self {
        Self {
            config,
            frames: VecDeque::new(),
            blocks: Blocks::default(),
            first: last + 1,
            begin: 0,
            oldest: last + 1,
            end: 0,
            readers: 0,
            caught_up: 0,
            closed: false,
            forgotten_from: None,
        }
    }

    pub(super) fn last(&self) -> u64 {
        self.first + self.frames.len() as u64 - 1
    }

    pub(super) fn bounds(&self) -> Bounds {
        Bounds { oldest: self.oldest, last: self.last(), closed: self.closed }
    }

    pub(super) fn held_bytes(&self) -> u64 {
        self.end - self.begin
    }

    /// The maximum size of the blocks that [`State::append`] expects.
    pub(super) fn block_bytes(&self) -> usize {
        self.config.chunk_bytes
    }

    pub(super) fn append(&mut self, Encoded { sizes, blocks }: Encoded) {
        let mut start = self.end;
        for block in blocks {
            let size = block.len() as u64;
            self.blocks.push(start, block);
            start += size;
        }
        for size in sizes {
            self.end += size as u64;
            let readers = std::mem::take(&mut self.caught_up);
            self.frames.push_back(Frame { end: self.end, readers });
        }
        self.move_window();
        self.free();
    }

    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    /// Closes the stream and keeps only the frames that attached readers have yet to read.
    pub(super) fn release(&mut self) {
        self.closed = true;
        self.oldest = self.last() + 1;
        self.free();
    }

    /// Closes the stream and frees all frames.
    pub(super) fn forget(&mut self) {
        self.closed = true;
        self.forgotten_from.get_or_insert(self.first);
        self.first = self.last() + 1;
        self.oldest = self.first;
        self.begin = self.end;
        self.frames = VecDeque::new();
        self.blocks.clear();
        self.readers = self.caught_up;
    }

    pub(super) fn is_forgotten(&self) -> bool {
        self.forgotten_from.is_some()
    }

    /// Whether the frame `next` was held until the stream was forgotten.
    pub(super) fn was_forgotten(&self, next: u64) -> bool {
        self.forgotten_from.is_some_and(|first| (first..self.first).contains(&next))
    }

    /// Adds a reader whose next frame is `next`.
    pub(super) fn enter(&mut self, next: u64) {
        self.readers += 1;
        *self.readers_at(next) += 1;
    }

    /// Removes a reader whose next frame is `next`.
    pub(super) fn leave(&mut self, next: u64) {
        if next < self.first {
            return;
        }
        self.readers -= 1;
        *self.readers_at(next) -= 1;
        self.free();
    }

    /// Reads for a reader whose next frame is `next`, up to `limit`, and advances the reader.
    pub(super) fn read(&mut self, next: u64, limit: u64) -> Found {
        if next < self.first {
            return Found::Evicted(Evicted { after: next - 1, oldest: self.oldest });
        }
        if next > self.last() {
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
        let start = self.start(from);
        let to = self.chunk_end(from, self.index(limit));
        let bytes = self.blocks.read(start..self.frames[to].end, self.config.chunk_bytes);
        let end = start + bytes.len() as u64;
        let to = match self.frames[to].end == end {
            true => to,
            false => self.frames.partition_point(|frame| frame.end <= end) - 1,
        };
        Chunk { bytes, last_seq: self.first + to as u64 }
    }

    /// The index of the last frame of a chunk that starts at `from` and ends at `limit` at the latest.
    fn chunk_end(&self, from: usize, limit: usize) -> usize {
        let reach = self.start(from) + self.config.chunk_bytes as u64;
        if self.frames[limit].end <= reach {
            return limit;
        }
        let fitting = self.frames.partition_point(|frame| frame.end <= reach);
        fitting.saturating_sub(1).max(from)
    }

    /// The size of all frames before this one.
    fn start(&self, index: usize) -> u64 {
        if index == 0 { self.begin } else { self.frames[index - 1].end }
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
            let bytes = self.end - self.start(self.index(self.oldest));
            if events <= self.config.window_events.max(1) as u64 && bytes <= self.config.window_bytes as u64 {
                break;
            }
            self.oldest += 1;
        }
    }

    /// Frees the frames before the window that no reader may still read.
    fn free(&mut self) {
        while self.first < self.oldest {
            let Some(frame) = self.frames.front() else { break };
            let held = self.held_bytes() + PLACE * self.frames.len() as u64;
            let over_budget = held > self.config.lag_budget as u64;
            if frame.readers > 0 && !over_budget {
                break;
            }
            self.readers -= frame.readers;
            self.begin = frame.end;
            self.frames.pop_front();
            self.first += 1;
        }
        self.blocks.free(self.begin);
        let ample = 4 * self.frames.len().max(64);
        if self.frames.capacity() > ample {
            self.frames.shrink_to(ample / 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn append(state: &mut State, frames: usize) {
        let sizes = vec![10; frames];
        let blocks = vec![Bytes::from(vec![b'x'; 10 * frames])];
        state.append(Encoded { sizes, blocks });
    }

    #[test]
    fn a_block_is_given_back_with_its_last_frame() {
        let mut state = State::resume_at(RingConfig::default().window_events(4), 0);
        append(&mut state, 3);
        state.enter(1);
        let Found::Frames(Chunk { bytes: block, last_seq: 3 }) = state.read(1, u64::MAX) else { panic!() };
        state.leave(4);
        append(&mut state, 3);
        assert!(!block.is_unique(), "its third frame is in the window");
        append(&mut state, 1);
        assert!(block.is_unique());
    }

    #[test]
    fn a_reader_that_was_too_slow_is_not_one_whose_stream_was_forgotten() {
        let config = RingConfig::default().window_events(4).lag_budget(0);
        let mut state = State::resume_at(config, 0);
        append(&mut state, 3);
        state.enter(1);
        append(&mut state, 3);
        state.enter(5);
        state.enter(7);
        assert!((1..=7).all(|next| !state.was_forgotten(next)), "it is still there");
        state.forget();
        state.forget();
        assert!(matches!(state.read(1, u64::MAX), Found::Evicted(_)) && !state.was_forgotten(1));
        assert!(matches!(state.read(5, u64::MAX), Found::Evicted(_)) && state.was_forgotten(5));
        assert!(matches!(state.read(7, u64::MAX), Found::End) && !state.was_forgotten(7));
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
