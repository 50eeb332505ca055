use std::time::Duration;

/// How long and how much a cache keeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) ttl: Duration,
    /// For unknown ids.
    pub(super) unknown: Duration,
    pub(super) max_entries: usize,
}
