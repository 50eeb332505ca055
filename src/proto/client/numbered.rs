//! An event with its place in the stream.

use std::ops::RangeInclusive;

/// An event with its sequence number.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Numbered<E> {
    /// The sequence number, after which a reader can resume. `session_state` has none.
    pub id: Option<u64>,
    /// The events right before this one that are no longer kept: token deltas of messages that are complete.
    pub compacted: Option<RangeInclusive<u64>>,
    /// The event.
    pub event: E,
}

impl<E> Numbered<E> {
    /// An event with this number.
    pub const fn new(id: Option<u64>, event: E) -> Self {
        Self { id, compacted: None, event }
    }
}
