//! The pauses between tries.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// Pauses without an end, each twice as long as the one before, from `shortest` to `longest`.
#[derive(Debug)]
pub(crate) struct Backoff {
    pauses: ExponentialBackoff,
    longest: Duration,
}

impl Backoff {
    #[cfg(feature = "service")]
    pub(crate) fn new(shortest: Duration, longest: Duration) -> Self {
        Self { pauses: pauses(shortest, longest).build(), longest }
    }

    /// Each pause is longer by a random part of itself, so that many clients do not come back at the same time.
    #[cfg(feature = "client")]
    pub(crate) fn jittered(shortest: Duration, longest: Duration) -> Self {
        Self { pauses: pauses(shortest, longest).with_jitter().build(), longest }
    }

    pub(crate) fn next_pause(&mut self) -> Duration {
        self.pauses.next().unwrap_or(self.longest)
    }
}

fn pauses(shortest: Duration, longest: Duration) -> ExponentialBuilder {
    ExponentialBuilder::new()
        .with_factor(2.0)
        .with_min_delay(shortest)
        .with_max_delay(longest)
        .without_max_times()
}

#[cfg(all(test, feature = "service"))]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_millis(300));
        let pauses: Vec<_> = (0..5).map(|_| backoff.next_pause().as_millis()).collect();
        assert_eq!(pauses, [50, 100, 200, 300, 300]);
        assert_eq!((0..999).map(|_| backoff.next_pause().as_millis()).max(), Some(300));
    }
}
