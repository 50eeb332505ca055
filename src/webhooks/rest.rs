//! Turns of receivers: few attempts at once, and a rest for those that fail, so that they cost others no time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};

use crate::sync::lock;

/// Maximum number of attempts to one endpoint at the same time.
const AT_ONCE: usize = 4;

/// How long a message waits for a turn, and then pauses. An attempt that hangs takes longer.
const BUSY: Duration = Duration::from_secs(1);

/// The longest rest of an endpoint; the first one is a second.
const LONGEST: Duration = Duration::from_secs(60);

/// Number of endpoints from which on those without an attempt and without a rest are forgotten.
const MANY: usize = 1000;

/// How the attempts to each endpoint go, by its name.
#[derive(Clone, Debug, Default)]
pub(super) struct Rests(Arc<Mutex<HashMap<String, State>>>);

#[derive(Debug)]
struct State {
    turns: Arc<Semaphore>,
    under_way: usize,
    failures: u32,
    rests_until: Option<Instant>,
}

impl Default for State {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(AT_ONCE)), under_way: 0, failures: 0, rests_until: None }
    }
}

/// The right to one attempt.
#[derive(Debug)]
pub(super) struct Turn {
    rests: Rests,
    endpoint: String,
    _permit: OwnedSemaphorePermit,
}

impl Rests {
    /// A turn, or the pause before the next try to get one.
    pub(super) async fn enter(&self, endpoint: &str) -> Result<Turn, Duration> {
        let turns = self.with(endpoint, |state| match state.pause() {
            Some(pause) => Err(pause),
            None => Ok(Arc::clone(&state.turns)),
        })?;
        let permit = timeout(BUSY, turns.acquire_owned()).await.map_err(|_| BUSY)?.map_err(|_| BUSY)?;
        self.with(endpoint, |state| {
            // It may have failed meanwhile.
            let pause = state.pause();
            state.under_way += usize::from(pause.is_none());
            pause.map_or(Ok(()), Err)
        })?;
        Ok(Turn { rests: self.clone(), endpoint: endpoint.to_owned(), _permit: permit })
    }

    fn with<T>(&self, endpoint: &str, then: impl FnOnce(&mut State) -> T) -> T {
        let mut states = lock(&self.0);
        // Devices come and go. What is forgotten is only how often one had failed.
        if states.len() >= MANY && !states.contains_key(endpoint) {
            states.retain(|_, state| state.under_way > 0 || state.pause().is_some());
        }
        then(states.entry(endpoint.to_owned()).or_default())
    }
}

impl State {
    /// Why there can be no attempt now.
    fn pause(&self) -> Option<Duration> {
        let left = self.rests_until.map(|until| until.saturating_duration_since(Instant::now()));
        // After a failure one attempt finds out whether it works again.
        let is_tried = self.failures > 0 && self.under_way > 0;
        left.filter(|left| !left.is_zero()).or_else(|| is_tried.then_some(BUSY))
    }
}

impl Turn {
    /// Returns whether the endpoint had failed before.
    pub(super) fn succeeded(&self) -> bool {
        self.rests.with(&self.endpoint, |state| {
            state.rests_until = None;
            std::mem::take(&mut state.failures) > 0
        })
    }

    /// Returns whether the endpoint had not failed before.
    pub(super) fn failed(&self) -> bool {
        self.rests.with(&self.endpoint, |state| {
            // Attempts that fail together are one failure.
            if state.rests_until.is_none_or(|until| until <= Instant::now()) {
                let rest = Duration::from_secs(1 << state.failures.min(10)).min(LONGEST);
                state.rests_until = Some(Instant::now() + rest);
                state.failures += 1;
                return state.failures == 1;
            }
            false
        })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.rests.with(&self.endpoint, |state| state.under_way -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn endpoints_that_nothing_is_sent_to_are_forgotten() {
        let rests = Rests::default();
        let used = rests.enter("used").await.unwrap();
        rests.enter("failed").await.unwrap().failed();
        for number in 0..3 * MANY {
            drop(rests.enter(&number.to_string()).await.unwrap());
        }
        let states = lock(&rests.0);
        assert!(states.len() <= MANY, "{}", states.len());
        assert!(states.contains_key("used") && states.contains_key("failed"));
        drop((states, used));
    }

    #[tokio::test(start_paused = true)]
    async fn an_endpoint_that_fails_rests_longer_each_time_and_costs_others_nothing() {
        let rests = Rests::default();
        let mut turns = Vec::new();
        for _ in 0..AT_ONCE {
            turns.push(rests.enter("a").await.unwrap());
        }
        assert_eq!(rests.enter("a").await.unwrap_err(), BUSY);
        assert!(!rests.enter("b").await.unwrap().succeeded());
        let waits = tokio::spawn({
            let rests = rests.clone();
            async move { rests.enter("a").await.map(drop) }
        });
        tokio::task::yield_now().await;
        turns.pop();
        assert_eq!(waits.await.unwrap(), Ok(()), "a turn that ends is the next one's");
        assert_eq!(turns.iter().map(Turn::failed).collect::<Vec<_>>(), [true, false, false]);
        drop(turns);

        let mut rested = Vec::new();
        for _ in 0..8 {
            let left = rests.enter("a").await.unwrap_err();
            rested.push(left.as_secs());
            tokio::time::advance(left).await;
            assert!(!rests.enter("a").await.unwrap().failed());
        }
        assert_eq!(rested, [1, 2, 4, 8, 16, 32, 60, 60]);
        tokio::time::advance(LONGEST).await;
        let probe = rests.enter("a").await.unwrap();
        assert_eq!(rests.enter("a").await.unwrap_err(), BUSY, "one attempt finds out whether it works again");
        assert!(probe.succeeded());
        rests.enter("a").await.unwrap();
    }
}
