//! An event log in memory.

mod blocks;
mod config;
mod shared;
mod state;
mod stream;
mod tail;
mod waiters;

use std::{
    collections::{HashMap, hash_map::Entry},
    convert::Infallible,
    fmt,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

pub use config::RingConfig;
pub use stream::RingStream;
pub use tail::RingTail;

use super::EventLog;
use crate::sync::lock;

/// An [`EventLog`] in memory: each stream keeps its newest events, bounded in number and in bytes.
///
/// [`RingConfig`] sets the bounds. Clones share the streams. A stream stays in memory until
/// [`EventLog::forget`].
///
/// ```
/// use agent_webkit_layers::resume::{Event, EventLog, EventStream, RingConfig, RingLog};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let log = RingLog::new(RingConfig::default().window_events(2));
/// let stream = log.open("session").await.unwrap();
/// for data in ["a", "b", "c"] {
///     stream.append(Event::new("letter", data).into()).await.unwrap();
/// }
/// assert_eq!(stream.bounds().oldest, 2);
/// assert_eq!(stream.bounds().last, 3);
/// # }
/// ```
#[derive(Clone)]
pub struct RingLog {
    config: RingConfig,
    streams: Arc<Mutex<HashMap<String, RingStream>>>,
}

impl RingLog {
    /// An empty event log whose streams have this configuration.
    #[must_use]
    pub fn new(config: RingConfig) -> Self {
        Self { config, streams: Arc::default() }
    }

    fn streams(&self) -> MutexGuard<'_, HashMap<String, RingStream>> {
        lock(&self.streams)
    }
}

impl Default for RingLog {
    fn default() -> Self {
        Self::new(RingConfig::default())
    }
}

impl EventLog for RingLog {
    type Stream = RingStream;
    type Error = Infallible;

    async fn open(&self, key: &str) -> Result<RingStream, Infallible> {
        let mut streams = self.streams();
        if let Some(stream) = streams.get(key) {
            return Ok(stream.clone());
        }
        let stream = RingStream::new(self.config.clone());
        streams.insert(key.to_owned(), stream.clone());
        Ok(stream)
    }

    async fn create(&self, key: &str) -> Result<Option<RingStream>, Infallible> {
        match self.streams().entry(key.to_owned()) {
            Entry::Occupied(_) => Ok(None),
            Entry::Vacant(entry) => Ok(Some(entry.insert(RingStream::new(self.config.clone())).clone())),
        }
    }

    async fn find(&self, key: &str) -> Result<Option<RingStream>, Infallible> {
        Ok(self.streams().get(key).cloned())
    }

    async fn forget(&self, key: &str) -> Result<(), Infallible> {
        let stream = self.streams().remove(key);
        if let Some(stream) = stream {
            stream.forget();
        }
        Ok(())
    }

    async fn forget_idle(&self, prefix: &str, idle: Duration) -> Result<u64, Infallible> {
        let is_idle = |key: &String, stream: &mut RingStream| {
            key.starts_with(prefix) && stream.appended_at().elapsed() > idle
        };
        let forgotten: Vec<_> = self.streams().extract_if(is_idle).collect();
        forgotten.iter().for_each(|(_, stream)| stream.forget());
        Ok(forgotten.len() as u64)
    }
}

impl fmt::Debug for RingLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RingLog")
            .field("config", &self.config)
            .field("streams", &self.streams().len())
            .finish()
    }
}
