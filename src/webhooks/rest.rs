//! Receivers that fail rest for a while, so that they cost others no time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::Instant;

use crate::sync::lock;

/// Maximum number of attempts to one endpoint at the same time.
const AT_ONCE: usize = 4;

/// Pause of a message whose endpoint is busy.
const BUSY: Duration = Duration::from_secs(1);

/// The longest rest of an endpoint; the first one is a second.
const LONGEST: Duration = Duration::from_secs(60);

/// How the attempts to each endpoint go, by its name.
#[derive(Clone, Debug, Default)]
pub(super) struct Rests(Arc<Mutex<HashMap<String, State>>>);

#[derive(Debug, Default)]
struct State {
    under_way: usize,
    failures: u32,
    rests_until: Option<Instant>,
}

/// The right to one attempt.
#[derive(Debug)]
pub(super) struct Turn {
    rests: Rests,
    endpoint: String,
}

impl Rests {
    /// A turn, or the time to wait for one.
    pub(super) fn enter(&self, endpoint: &str) -> Result<Turn, Duration> {
        let mut states = lock(&self.0);
        let state = states.entry(endpoint.to_owned()).or_default();
        let left = state.rests_until.map(|until| until.saturating_duration_since(Instant::now()));
        match left {
            Some(left) if !left.is_zero() => Err(left),
            // One attempt finds out whether it works again.
            _ if state.under_way >= if state.failures == 0 { AT_ONCE } else { 1 } => Err(BUSY),
            _ => {
                state.under_way += 1;
                Ok(Turn { rests: self.clone(), endpoint: endpoint.to_owned() })
            }
        }
    }
}

impl Turn {
    /// Returns whether the endpoint had failed before.
    pub(super) fn succeeded(&self) -> bool {
        self.with(|state| {
            state.rests_until = None;
            std::mem::take(&mut state.failures) > 0
        })
    }

    /// Returns whether the endpoint had not failed before.
    pub(super) fn failed(&self) -> bool {
        self.with(|state| {
            let rest = Duration::from_secs(1 << state.failures.min(10)).min(LONGEST);
            state.rests_until = Some(Instant::now() + rest);
            state.failures += 1;
            state.failures == 1
        })
    }

    fn with<T>(&self, then: impl FnOnce(&mut State) -> T) -> T {
        then(lock(&self.rests.0).get_mut(&self.endpoint).expect("it is there while a turn is"))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut states = lock(&self.rests.0);
        if let Some(state) = states.get_mut(&self.endpoint) {
            state.under_way -= 1;
            if state.under_way == 0 && state.failures == 0 {
                states.remove(&self.endpoint);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_endpoint_that_fails_rests_longer_each_time_and_costs_others_nothing() {
        let rests = Rests::default();
        let turns: Vec<Turn> = (0..AT_ONCE).map(|_| rests.enter("a").unwrap()).collect();
        assert_eq!(rests.enter("a").unwrap_err(), BUSY);
        assert!(!rests.enter("b").unwrap().succeeded());
        drop(turns);

        let mut rested = Vec::new();
        for n in 0..8 {
            let turn = rests.enter("a").unwrap();
            assert_eq!(turn.failed(), n == 0);
            drop(turn);
            let left = rests.enter("a").unwrap_err();
            rested.push(left.as_secs());
            tokio::time::advance(left).await;
        }
        assert_eq!(rested, [1, 2, 4, 8, 16, 32, 60, 60]);
        let probe = rests.enter("a").unwrap();
        assert_eq!(rests.enter("a").unwrap_err(), BUSY, "one attempt finds out whether it works again");
        assert!(probe.succeeded());
        drop(probe);
        assert!(lock(&rests.0).is_empty());
    }
}
