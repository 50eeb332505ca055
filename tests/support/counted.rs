//! The metrics of a test.

use std::collections::BTreeMap;

use metrics::LocalRecorderGuard;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};

/// Records the metrics of this thread.
pub(crate) struct Counted {
    values: BTreeMap<String, f64>,
    snapshotter: Snapshotter,
    _guard: LocalRecorderGuard<'static>,
}

impl Counted {
    pub(crate) fn new() -> Self {
        let recorder: &'static DebuggingRecorder = Box::leak(Box::default());
        let guard = metrics::set_default_local_recorder(recorder);
        Self { values: BTreeMap::new(), snapshotter: recorder.snapshotter(), _guard: guard }
    }

    /// The names and labels of all series so far.
    pub(crate) fn series(&mut self) -> impl Iterator<Item = &str> {
        self.update();
        self.values.keys().map(String::as_str)
    }

    /// The value of a counter or a gauge, or the number of a histogram's samples; `name{label=value,…}`.
    pub(crate) fn get(&mut self, metric: &str) -> f64 {
        self.update();
        self.values.get(&format!("agent_webkit_{metric}")).copied().unwrap_or_default()
    }

    fn update(&mut self) {
        for (key, _, _, value) in self.snapshotter.snapshot().into_vec() {
            let labels: Vec<_> =
                key.key().labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            // Each snapshot has only what was recorded since the last one.
            *self.values.entry(format!("{}{labels}", key.key().name())).or_default() += match value {
                DebugValue::Counter(count) => count as f64,
                DebugValue::Gauge(value) => value.into_inner(),
                DebugValue::Histogram(samples) => samples.len() as f64,
            };
        }
    }

    /// Checks the values of these metrics.
    pub(crate) fn check<const N: usize>(&mut self, expected: [(&str, f64); N]) {
        for (metric, value) in expected {
            assert_eq!(self.get(metric), value, "{metric} in {:#?}", self.values);
        }
    }
}
