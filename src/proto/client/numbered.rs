//! A value with its place in a session's stream.

/// A value with the sequence number of its event: [`ServerEvent`](super::ServerEvent) with the `id` of its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbered<T> {
    /// The sequence number: the first event of a session is 1, and numbers rise by one.
    pub seq: u64,
    /// The value.
    pub event: T,
}
