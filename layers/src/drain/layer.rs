use std::time::Duration;

use tower_layer::Layer;

use super::{Drain, bounds::Bounds};

/// Applies [`Drain`]: reads the rest of a request's body before the response is passed on.
///
/// ```
/// use std::time::Duration;
///
/// use agent_webkit_layers::drain::DrainLayer;
///
/// let layer = DrainLayer::new().max_bytes(1 << 20).max_time(Duration::from_secs(5));
/// # let _ = layer;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct DrainLayer {
    bounds: Bounds,
}

impl DrainLayer {
    /// The layer with the default bounds: 64 MiB and 10 s.
    #[must_use]
    pub const fn new() -> Self {
        Self { bounds: Bounds { bytes: 64 << 20, time: Duration::from_secs(10) } }
    }

    /// Sets the maximum number of bytes that are read. Default 64 MiB.
    #[must_use]
    pub const fn max_bytes(mut self, bytes: u64) -> Self {
        self.bounds.bytes = bytes;
        self
    }

    /// Sets the maximum time that a response waits. Default 10 s.
    #[must_use]
    pub const fn max_time(mut self, time: Duration) -> Self {
        self.bounds.time = time;
        self
    }
}

impl Default for DrainLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for DrainLayer {
    type Service = Drain<S>;

    fn layer(&self, inner: S) -> Drain<S> {
        Drain::new(inner, self.bounds)
    }
}
