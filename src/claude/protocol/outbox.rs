//! What is to be written to a process, and how much of it is.

use serde::Serialize;

use super::codec::encode;

/// An emptied buffer that is larger than this is given back.
const KEEP: usize = 64 << 10;

/// Frames in the order they have to be written, some of the first already gone.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    buffer: Vec<u8>,
    written: usize,
}

impl Outbox {
    /// Adds a frame as one line.
    pub(crate) fn push<T: Serialize>(&mut self, frame: &T) {
        if let Err(error) = encode(frame, &mut self.buffer) {
            tracing::error!(%error, "a frame could not be written");
        }
    }

    /// What is not written yet.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.buffer[self.written..]
    }

    /// So many bytes of the rest are written.
    pub(crate) fn advance(&mut self, bytes: usize) {
        self.written += bytes;
        if self.rest().is_empty() {
            self.clear();
        }
    }

    /// Nobody will read it.
    pub(crate) fn clear(&mut self) {
        self.written = 0;
        self.buffer.clear();
        self.buffer.shrink_to(KEEP);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_leave_in_order_and_in_pieces() {
        let mut outbox = Outbox::default();
        outbox.push(&"a");
        assert_eq!(outbox.rest(), b"\"a\"\n");
        outbox.advance(3);
        outbox.push(&"b");
        assert_eq!(outbox.rest(), b"\n\"b\"\n");
        outbox.advance(5);
        assert!(outbox.rest().is_empty());
    }

    #[test]
    fn memory_is_given_back_after_a_huge_frame() {
        let mut outbox = Outbox::default();
        outbox.push(&"x".repeat(1 << 20));
        outbox.advance(outbox.rest().len());
        assert!(outbox.buffer.capacity() <= KEEP);
    }
}
