use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, timeout};

use super::{
    SourceError,
    keys::KeySet,
    source::{ErasedSource, LONGEST_DOCUMENT},
};

/// Time limit for reading the source once.
const PATIENCE: Duration = Duration::from_secs(5);

/// Time before a source that never returned a key set is asked again.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// The newest key set of a source.
pub(super) struct Cache {
    source: Arc<dyn ErasedSource>,
    max_age: Duration,
    refresh_interval: Duration,
    state: Mutex<State>,
    /// Held by whoever asks the source, so that it is asked once at a time.
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

    /// The newest set, asked for again when it is too old or not `enough`. `None` when there never was one.
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

    /// Asks the source, if it was not asked just now.
    async fn refresh(self: &Arc<Self>) {
        let asking = Arc::clone(&self.asking).lock_owned().await;
        if !self.is_due() {
            return;
        }
        let cache = Arc::clone(self);
        // In a task of its own: a client that gives up must not make the next one start anew.
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
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
