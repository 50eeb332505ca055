use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use tokio::time::{Instant, timeout};

use super::{
    SourceError,
    keys::KeySet,
    source::{ErasedSource, LONGEST_DOCUMENT},
};
use crate::sync::lock;

/// Time limit for reading the source once.
const PATIENCE: Duration = Duration::from_secs(5);

/// Minimum time between two reads of a source that has never returned a key set.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// The newest key set of a source.
pub(super) struct Cache {
    source: Arc<dyn ErasedSource>,
    max_age: Duration,
    refresh_interval: Duration,
    state: Mutex<State>,
    /// Held by the task that reads the source, so that only one task reads it at a time.
    asking: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Clone, Default)]
struct State {
    newest: Option<(KeySet, Instant)>,
    asked: Option<Instant>,
}

impl Cache {
    pub(super) fn new(source: Arc<dyn ErasedSource>, max_age: Duration, refresh_interval: Duration) -> Self {
        Self { source, max_age, refresh_interval, state: Mutex::default(), asking: Arc::default() }
    }

    /// The newest set. Reads the source if the set is too old or not `enough`. `None` if there never was a set.
    pub(super) async fn get(self: Arc<Self>, enough: impl Fn(&KeySet) -> bool) -> Option<KeySet> {
        let newest = self.state().newest.clone();
        match newest {
            Some((keys, read)) if read.elapsed() < self.max_age && enough(&keys) => Some(keys),
            _ => {
                self.refresh().await;
                self.state().newest.clone().map(|(keys, _)| keys)
            }
        }
    }

    /// Reads the source, unless it was read a moment ago.
    async fn refresh(self: &Arc<Self>) {
        let asking = Arc::clone(&self.asking).lock_owned().await;
        if !self.is_due() {
            return;
        }
        let cache = Arc::clone(self);
        // In a task of its own: a client that hangs up must not cancel the read, or the next client starts it again.
        let asked = tokio::spawn(async move {
            let outcome = cache.fetch().await;
            let now = Instant::now();
            let mut state = cache.state();
            state.asked = Some(now);
            match outcome {
                Ok(keys) => state.newest = Some((keys, now)),
                Err(error) => {
                    let kept = state.newest.is_some();
                    tracing::warn!(%error, kept, "the key set cannot be read");
                }
            }
            drop(state);
            drop(asking);
        });
        let _ = asked.await;
    }

    async fn fetch(&self) -> Result<KeySet, SourceError> {
        let document = timeout(PATIENCE, self.source.fetch()).await??;
        if document.len() > LONGEST_DOCUMENT {
            return Err("it is longer than a mebibyte".into());
        }
        KeySet::parse(&document).ok_or_else(|| "it has no key that can be used".into())
    }

    fn is_due(&self) -> bool {
        let state = self.state();
        let pause = if state.newest.is_some() { self.refresh_interval } else { FIRST_RETRY };
        state.asked.is_none_or(|asked| asked.elapsed() >= pause)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}
