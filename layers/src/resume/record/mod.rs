//! Records the event streams of an upstream that does not support resuming.

mod reader;
mod recorder;
mod registry;

use std::{fmt, sync::Arc, time::Duration};

use http::request::Parts;

use super::{Cursor, EventLog};
use reader::Reader;
use registry::Registry;

/// The mode of a layer from [`ResumeLayer::record`](super::ResumeLayer::record): its key function, settings and
/// recordings.
pub struct Record<L: EventLog, K> {
    key: Arc<K>,
    config: RecordConfig,
    registry: Arc<Registry<L>>,
}

#[derive(Clone, Debug)]
pub(super) struct RecordConfig {
    pub(super) retain: Duration,
    pub(super) max_event_bytes: usize,
}

impl<L: EventLog, K> Record<L, K> {
    pub(super) fn new(log: L, key: K) -> Self {
        let config = RecordConfig { retain: Duration::from_secs(300), max_event_bytes: 16 << 20 };
        Self { key: Arc::new(key), config, registry: Arc::new(Registry::new(log)) }
    }

    pub(super) fn config_mut(&mut self) -> &mut RecordConfig {
        &mut self.config
    }

    pub(super) fn recordings(&self) -> Recordings<L> {
        Recordings { registry: Arc::clone(&self.registry) }
    }

    pub(super) fn key(&self, request: &Parts) -> Option<String>
    where
        K: Fn(&Parts) -> Option<String>,
    {
        (self.key)(request)
    }

    pub(super) fn recorded(&self, key: &str) -> Option<L::Stream> {
        self.registry.recorded(key)
    }

    pub(super) fn reader(&self, key: String, cursor: Cursor, keepalive: Option<Duration>) -> Reader<L> {
        Reader { registry: Arc::clone(&self.registry), config: self.config.clone(), key, cursor, keepalive }
    }
}

impl<L: EventLog, K> Clone for Record<L, K> {
    fn clone(&self) -> Self {
        Self { key: Arc::clone(&self.key), config: self.config.clone(), registry: Arc::clone(&self.registry) }
    }
}

impl<L: EventLog, K> fmt::Debug for Record<L, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("config", &self.config).finish_non_exhaustive()
    }
}

/// The recordings of a [`ResumeLayer`](super::ResumeLayer): those that are running, and those that have ended but
/// can still be read.
pub struct Recordings<L: EventLog> {
    registry: Arc<Registry<L>>,
}

impl<L: EventLog> Recordings<L> {
    /// Number of recordings.
    #[must_use]
    pub fn len(&self) -> usize {
        self.registry.len()
    }

    /// Whether there is no recording.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets the recording of `key` and its stream in the event log. Its readers end, and the next request starts a
    /// new call to the upstream.
    ///
    /// # Errors
    /// The event log's error. The event log may then still hold the stream.
    pub async fn forget(&self, key: &str) -> Result<(), L::Error> {
        registry::forget(&self.registry, key).await
    }

    /// Ends all recordings. New requests get a 503.
    ///
    /// A running recording ends with the event `error`, `{"code":"recording_stopped","message":"…"}`. Attached readers
    /// still receive the events that they have not read. Returns when no recording task is left.
    pub async fn shutdown(&self) {
        self.registry.shutdown().await;
    }
}

impl<L: EventLog> Clone for Recordings<L> {
    fn clone(&self) -> Self {
        Self { registry: Arc::clone(&self.registry) }
    }
}

impl<L: EventLog> fmt::Debug for Recordings<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recordings").field("len", &self.len()).finish_non_exhaustive()
    }
}
