//! Outages of the database: how long to wait, and when to try again.

use std::time::Duration;

use tokio::time::Instant;

use crate::{backoff::Backoff, metrics::OutageMetrics};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// An outage, measured from its first failure.
#[derive(Debug, Default)]
pub(super) struct Outage(Option<Lasting>);

#[derive(Debug)]
struct Lasting {
    since: Instant,
    backoff: Backoff,
    _metrics: OutageMetrics,
}

impl Lasting {
    fn new() -> Self {
        Self {
            since: Instant::now(),
            backoff: Backoff::new(FIRST_PAUSE, LONGEST_PAUSE),
            _metrics: OutageMetrics::of_log(),
        }
    }
}

impl Outage {
    /// Records a failure. Returns whether failures have lasted for `bound`.
    pub(super) fn is_over(&mut self, bound: Duration) -> bool {
        self.0.get_or_insert_with(Lasting::new).since.elapsed() >= bound
    }

    /// Waits before the next try, longer each time.
    pub(super) async fn pause(&mut self) {
        let pause = self.0.get_or_insert_with(Lasting::new).backoff.next_pause();
        tokio::time::sleep(pause).await;
    }

    /// Whether an outage has begun.
    pub(super) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Ends the outage and returns its duration; `None` if there was none.
    pub(super) fn end(&mut self) -> Option<Duration> {
        self.0.take().map(|outage| outage.since.elapsed())
    }
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
