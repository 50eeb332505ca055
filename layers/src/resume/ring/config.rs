/// How much a [`RingStream`](super::RingStream) keeps. All sizes are in bytes of finished frames.
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
    /// The window, in events: so many of the newest a new reader can be given. Default 1000, at least 1.
    pub window_events: usize,
    /// The window, in bytes: older events leave it until the rest fits. The newest event always stays.
    /// Default 64 MiB.
    pub window_bytes: usize,
    /// What is kept beyond the window for attached readers that are behind it; a reader that has more
    /// than this still to read, and not all of it in the window, is evicted. Every frame counts for 32 bytes
    /// more than it has, for its place. Default 8 MiB.
    pub lag_budget: usize,
    /// Frames are handed out joined up to this size; a larger frame is handed out alone. Default 64 KiB.
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
