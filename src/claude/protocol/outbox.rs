//! The bytes to write to a process.

use serde::Serialize;

use super::codec::encode;

/// The capacity that an empty buffer keeps, in bytes.
const KEEP: usize = 64 << 10;

/// Frames to write, in order. The first bytes may be written already.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    buffer: Vec<u8>,
    written: usize,
}

impl Outbox {
    /// Appends a frame as one line.
    pub(crate) fn push<T: Serialize>(&mut self, frame: &T) {
        if let Err(error) = encode(frame, &mut self.buffer) {
            tracing::error!(%error, "a frame could not be encoded");
        }
    }

    /// Returns the bytes that are not written yet.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.buffer[self.written..]
    }

    /// Marks this number of bytes as written.
    pub(crate) fn advance(&mut self, bytes: usize) {
        self.written += bytes;
        if self.rest().is_empty() {
            self.clear();
        }
    }

    /// Discards all bytes.
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
