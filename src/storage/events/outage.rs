//! Outages of the database: how long to wait, and when to try again.

use std::time::Duration;

use tokio::time::Instant;

use crate::metrics::OutageMetrics;

/// Maximum time for one call to the database.
const PATIENCE: Duration = Duration::from_secs(5);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// An outage, measured from its first failure.
#[derive(Debug, Default)]
pub(super) struct Outage {
    since: Option<(Instant, Duration)>,
    metrics: Option<OutageMetrics>,
}

impl Outage {
    /// Records a failure. Returns whether failures have lasted for `bound`.
    pub(super) fn is_over(&mut self, bound: Duration) -> bool {
        self.metrics.get_or_insert_with(OutageMetrics::of_log);
        let (since, _) = self.since.get_or_insert_with(|| (Instant::now(), FIRST_PAUSE));
        since.elapsed() >= bound
    }

    /// Waits before the next try, longer each time.
    pub(super) async fn pause(&mut self) {
        let (_, pause) = self.since.get_or_insert_with(|| (Instant::now(), FIRST_PAUSE));
        let now = *pause;
        *pause = (now * 2).min(LONGEST_PAUSE);
        tokio::time::sleep(now).await;
    }

    /// Whether an outage has begun.
    pub(super) fn is_on(&self) -> bool {
        self.since.is_some()
    }

    /// Ends the outage and returns its duration; `None` if there was none.
    pub(super) fn end(&mut self) -> Option<Duration> {
        self.metrics = None;
        self.since.take().map(|(since, _)| since.elapsed())
    }
}

/// Awaits one call; fails with `PoolTimedOut` if it takes too long.
pub(super) async fn in_time<T>(call: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    tokio::time::timeout(PATIENCE, call).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

#[cfg(all(test, feature = "metrics"))]
mod tests {
    use metrics_util::debugging::{DebugValue, DebuggingRecorder};

    use super::*;

    #[test]
    fn an_outage_is_counted_once_and_is_over_when_the_database_is_back() {
        let recorder = DebuggingRecorder::new();
        let seen = metrics::with_local_recorder(&recorder, || {
            let mut outage = Outage::default();
            assert!(!outage.is_over(Duration::from_secs(9)) && !outage.is_over(Duration::from_secs(9)));
            let during = recorder.snapshotter().snapshot().into_vec();
            outage.end();
            [during, recorder.snapshotter().snapshot().into_vec()]
        });
        let values = seen.map(|seen| seen.into_iter().map(|(_, _, _, value)| value).collect::<Vec<_>>());
        let (one, less) = (DebugValue::Gauge(1.0.into()), DebugValue::Gauge((-1.0).into()));
        assert_eq!(values, [vec![DebugValue::Counter(1), one], vec![DebugValue::Counter(0), less]]);
    }
}
