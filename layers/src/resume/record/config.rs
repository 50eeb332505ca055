//! The settings of recordings.

use std::time::Duration;

use crate::{reply::Renderer, resume::keepalive::DEFAULT_KEEPALIVE};

/// How often within the time after which it counts as dead a process says that it lives.
pub(super) const SIGNS: u32 = 3;

#[derive(Clone, Debug)]
pub(super) struct RecordConfig {
    pub(super) retain: Duration,
    pub(super) max_event_bytes: usize,
    pub(super) max_time: Option<Duration>,
    pub(super) max_streams: usize,
    pub(super) shared: Option<Duration>,
    pub(super) keepalive: Option<Duration>,
    pub(super) renderer: Renderer,
}

impl Default for RecordConfig {
    fn default() -> Self {
        Self {
            retain: Duration::from_secs(300),
            max_event_bytes: 16 << 20,
            max_time: None,
            max_streams: 10_000,
            shared: None,
            keepalive: Some(DEFAULT_KEEPALIVE),
            renderer: Renderer::JSON,
        }
    }
}
