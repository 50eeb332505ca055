use std::time::Duration;

use super::part::{Classify, protocol_part};
use crate::layers::resume::RingConfig;

/// Configures what a [`DurableLog`](super::DurableLog) keeps, and how long it waits for its database.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DurableConfig {
    /// Number of a stream's newest events that are kept and can be resumed. `None`, the default, keeps all
    /// events except the pieces of whole messages.
    pub window_events: Option<u64>,
    /// Number of a stream's newest events that are never compacted. Default 1000. Without effect if
    /// `window_events` is set.
    pub uncompacted_events: u64,
    /// What an open stream keeps in memory. Default: 1000 events and 64 KiB, and for attached readers
    /// [`RingConfig::lag_budget`].
    pub recent: RingConfig,
    /// Maximum time for a batch to wait for an unavailable database before its append fails. Default 120 s.
    pub outage: Duration,
    /// Maximum size of the batches that wait to be stored, in bytes. Further appends wait for room. Default
    /// 32 MiB.
    pub queue_bytes: usize,
    /// Maximum size of the events that all replays together have read from the database and not yet passed on, in bytes.
    /// Beyond it, slow readers read them again. Default 4 MiB.
    pub replay_bytes: usize,
    /// Classifies events as pieces of a message or whole messages. Default: the protocol's `message_delta`
    /// and `message_complete`.
    pub classify: Classify,
}

impl DurableConfig {
    /// Sets [`DurableConfig::window_events`], at least 1.
    #[must_use]
    pub fn window_events(mut self, events: impl Into<Option<u64>>) -> Self {
        self.window_events = events.into().map(|events| events.max(1));
        self
    }

    /// Sets [`DurableConfig::uncompacted_events`].
    #[must_use]
    pub fn uncompacted_events(mut self, events: u64) -> Self {
        self.uncompacted_events = events;
        self
    }

    /// Sets [`DurableConfig::recent`].
    #[must_use]
    pub fn recent(mut self, recent: RingConfig) -> Self {
        self.recent = recent;
        self
    }

    /// Sets [`DurableConfig::outage`].
    #[must_use]
    pub fn outage(mut self, outage: Duration) -> Self {
        self.outage = outage;
        self
    }

    /// Sets [`DurableConfig::queue_bytes`].
    #[must_use]
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.queue_bytes = bytes;
        self
    }

    /// Sets [`DurableConfig::replay_bytes`].
    #[must_use]
    pub fn replay_bytes(mut self, bytes: usize) -> Self {
        self.replay_bytes = bytes;
        self
    }

    /// Sets [`DurableConfig::classify`].
    #[must_use]
    pub fn classify(mut self, classify: Classify) -> Self {
        self.classify = classify;
        self
    }

    /// The oldest event of a stream that ends at `last` and holds nothing before `floor`.
    pub(super) fn oldest(&self, floor: u64, last: u64) -> u64 {
        let window = self.window_events.map_or(1, |events| (last + 1).saturating_sub(events));
        floor.max(window).min(last + 1)
    }
}

impl Default for DurableConfig {
    fn default() -> Self {
        Self {
            window_events: None,
            uncompacted_events: 1000,
            recent: RingConfig::default().window_bytes(64 << 10),
            outage: Duration::from_secs(120),
            queue_bytes: 32 << 20,
            replay_bytes: 4 << 20,
            classify: protocol_part,
        }
    }
}
