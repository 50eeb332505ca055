/// The number and size of the events that a [`RingStream`](super::RingStream) keeps. All sizes are in bytes of encoded
/// frames.
///
/// ```
/// use agent_webkit_layers::resume::RingConfig;
///
/// let config = RingConfig::default().window_events(5000).lag_budget(1 << 20);
/// assert_eq!(config.window_events, 5000);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RingConfig {
    /// The window, in events: the number of newest events that a new reader can read. Default 1000, at least 1.
    pub window_events: usize,
    /// The window, in bytes: the oldest events leave the window until the rest fits. The newest event always stays.
    /// Default 64 MiB.
    pub window_bytes: usize,
    /// Maximum size of the events that are kept for an attached reader which is behind the window. A reader that has
    /// more than this still to read, and not all of it in the window, is evicted. Each frame counts as its size plus
    /// 32 bytes of bookkeeping. Default 8 MiB.
    pub lag_budget: usize,
    /// Maximum size of a chunk of several frames; a larger frame is a chunk of its own. Default 64 KiB.
    pub chunk_bytes: usize,
}

impl RingConfig {
    /// Sets [`RingConfig::window_events`].
    #[must_use]
    pub fn window_events(mut self, events: usize) -> Self {
        self.window_events = events.max(1);
        self
    }

    /// Sets [`RingConfig::window_bytes`].
    #[must_use]
    pub fn window_bytes(mut self, bytes: usize) -> Self {
        self.window_bytes = bytes;
        self
    }

    /// Sets [`RingConfig::lag_budget`].
    #[must_use]
    pub fn lag_budget(mut self, bytes: usize) -> Self {
        self.lag_budget = bytes;
        self
    }

    /// Sets [`RingConfig::chunk_bytes`].
    #[must_use]
    pub fn chunk_bytes(mut self, bytes: usize) -> Self {
        self.chunk_bytes = bytes;
        self
    }
}

impl Default for RingConfig {
    fn default() -> Self {
        Self { window_events: 1000, window_bytes: 64 << 20, lag_budget: 8 << 20, chunk_bytes: 64 << 10 }
    }
}
