//! Places in a session's stream.

use std::ops::RangeInclusive;

/// A value with the sequence number of its event: [`ServerEvent`](super::ServerEvent) with the `id` of its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbered<T> {
    /// The sequence number: the first event of a session is 1, and numbers rise by one.
    pub seq: u64,
    /// The value.
    pub event: T,
}

/// The events that the comment `compacted 12-340` of a stream says are no longer kept: deltas of messages that are
/// complete. `None` is for any other comment.
#[must_use]
pub fn compacted(comment: &str) -> Option<RangeInclusive<u64>> {
    let (first, last) = comment.strip_prefix("compacted ")?.split_once('-')?;
    let range = first.parse().ok()?..=last.parse().ok()?;
    (!range.is_empty()).then_some(range)
}
