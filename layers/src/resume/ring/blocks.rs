//! Keeps frames contiguously in a few buffers, so that a chunk for a reader is mostly a slice of one buffer.

use std::{collections::VecDeque, ops::Range};

use bytes::Bytes;

use crate::resume::{
    Event,
    frame::{encode_frame_into, frame_len},
};

/// The frames of a batch: their sizes, and blocks that contain whole frames.
#[derive(Debug, Default)]
pub(super) struct Encoded {
    pub(super) sizes: Vec<usize>,
    pub(super) blocks: Vec<Bytes>,
}

impl Encoded {
    /// Encodes `events`, numbered from `first` on, into blocks of at most `block_bytes`; a larger frame is a block of
    /// its own.
    pub(super) fn new(first: u64, events: &[Event], block_bytes: usize) -> Self {
        let mut encoded = Self { sizes: Vec::with_capacity(events.len()), blocks: Vec::new() };
        let mut numbered = (first..).zip(events).peekable();
        while numbered.peek().is_some() {
            let mut fitting = numbered.clone();
            let mut size = 0;
            let count = std::iter::from_fn(|| {
                let (seq, event) = fitting.next()?;
                let frame = frame_len(Some(seq), &event.name, &event.data);
                (size == 0 || size + frame <= block_bytes).then(|| size += frame)
            })
            .count();
            let mut block = Vec::with_capacity(size);
            for (seq, event) in numbered.by_ref().take(count) {
                let start = block.len();
                encode_frame_into(&mut block, Some(seq), &event.name, &event.data);
                encoded.sizes.push(block.len() - start);
            }
            encoded.blocks.push(block.into());
        }
        encoded
    }
}

#[derive(Debug)]
struct Block {
    /// Its offset from the first byte of the stream.
    start: u64,
    bytes: Bytes,
}

impl Block {
    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    fn slice(&self, range: Range<u64>) -> Bytes {
        self.bytes.slice((range.start - self.start) as usize..(range.end - self.start) as usize)
    }
}

/// The bytes of a stream from some offset to its end.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    blocks: VecDeque<Block>,
}

impl Blocks {
    pub(super) fn push(&mut self, start: u64, bytes: Bytes) {
        self.blocks.push_back(Block { start, bytes });
    }

    /// Frees the blocks that end at or before `begin`, which no reader needs any more.
    pub(super) fn free(&mut self, begin: u64) {
        while self.blocks.front().is_some_and(|block| block.end() <= begin) {
            self.blocks.pop_front();
        }
        if self.blocks.capacity() > 4 * self.blocks.len().max(16) {
            self.blocks.shrink_to(2 * self.blocks.len());
        }
    }

    pub(super) fn clear(&mut self) {
        self.blocks = VecDeque::new();
    }

    /// Returns the bytes in `wanted`, or as many of them as are in its first block; at least one byte. Joins small
    /// blocks into one of at most `block_bytes`, once for all readers.
    pub(super) fn read(&mut self, wanted: Range<u64>, block_bytes: usize) -> Bytes {
        let at = self.blocks.partition_point(|block| block.start <= wanted.start) - 1;
        let left = self.blocks[at].end() - wanted.start;
        if self.blocks[at].end() < wanted.end && left < block_bytes as u64 / 2 {
            self.join(at, wanted.end, block_bytes);
        }
        let block = &self.blocks[at];
        block.slice(wanted.start..wanted.end.min(block.end()))
    }

    /// Joins the block at `from` with the blocks after it, as far as they are needed up to `end` and fit.
    fn join(&mut self, from: usize, end: u64, block_bytes: usize) {
        let start = self.blocks[from].start;
        let fits = |block: &&Block| block.start < end && block.end() - start <= block_bytes as u64;
        let count = self.blocks.range(from..).take_while(fits).count();
        if count < 2 {
            return;
        }
        let size = self.blocks[from + count - 1].end() - start;
        let mut joined = Vec::with_capacity(size as usize);
        for block in self.blocks.range(from..from + count) {
            joined.extend_from_slice(&block.bytes);
        }
        self.blocks.drain(from + 1..from + count);
        self.blocks[from].bytes = joined.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(sizes: &[usize]) -> Blocks {
        let mut blocks = Blocks::default();
        let mut start = 0;
        for (n, size) in sizes.iter().enumerate() {
            blocks.push(start, vec![n as u8; *size].into());
            start += *size as u64;
        }
        blocks
    }

    #[test]
    fn a_batch_fills_blocks_of_whole_frames() {
        let events = vec![Event::new("e", vec![b'x'; 80]); 25];
        let encoded = Encoded::new(7, &events, 1000);
        assert_eq!(encoded.sizes.len(), 25);
        assert!(encoded.blocks.iter().all(|block| block.len() <= 1000 && block.ends_with(b"\n\n")));
        assert_eq!(encoded.blocks.len(), 3);
        assert_eq!(encoded.blocks.iter().map(Bytes::len).sum::<usize>(), encoded.sizes.iter().sum::<usize>());
        assert!(encoded.blocks[0].starts_with(b"id: 7\n"));

        let large = Encoded::new(1, &[Event::new("", vec![b'x'; 5000])], 1000);
        assert_eq!(large.blocks.len(), 1, "one frame is one block, however large");
    }

    #[test]
    fn small_blocks_are_joined_once_and_large_ones_are_not_copied() {
        let mut small = blocks(&[10, 10, 10]);
        let first = small.read(0..30, 100);
        assert_eq!((first.len(), small.blocks.len()), (30, 1));
        assert_eq!(small.read(10..30, 100).as_ptr(), first[10..].as_ptr(), "the same bytes");

        let mut large = blocks(&[80, 80]);
        assert_eq!(large.read(10..160, 100).len(), 70, "the rest of the first one");
        assert_eq!(large.blocks.len(), 2);
    }

    #[test]
    fn a_joined_block_is_not_larger_than_it_may_be() {
        let mut blocks = blocks(&[10, 60, 60]);
        assert_eq!(blocks.read(0..100, 100).len(), 70);
        assert_eq!(blocks.blocks.len(), 2);
    }
}
