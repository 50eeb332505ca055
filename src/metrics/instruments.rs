//! The instruments of the `metrics` facade.

use std::time::Duration;

use super::metric::{Kind, Labels, Metric};

/// Whether measurements are recorded.
pub(super) const ON: bool = true;

pub(super) struct Counter(metrics::Counter);

impl Counter {
    pub(super) fn of(name: &'static str, labels: Labels<'_>) -> Self {
        Self(metrics::counter!(name, labels))
    }

    pub(super) fn add(&self, count: u64) {
        self.0.increment(count);
    }
}

pub(super) struct Gauge(metrics::Gauge);

impl Gauge {
    pub(super) fn of(name: &'static str) -> Self {
        Self(metrics::gauge!(name))
    }

    pub(super) fn change(&self, by: f64) {
        self.0.increment(by);
    }
}

pub(super) struct Histogram(metrics::Histogram);

impl Histogram {
    pub(super) fn of(name: &'static str, labels: Labels<'_>) -> Self {
        Self(metrics::histogram!(name, labels))
    }

    pub(super) fn took(&self, time: Duration) {
        self.0.record(time);
    }
}

pub(super) fn describe(metric: &Metric) {
    use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
    let Metric { name, kind, meaning } = *metric;
    match kind {
        Kind::Counter => describe_counter!(name, Unit::Count, meaning),
        Kind::Bytes => describe_counter!(name, Unit::Bytes, meaning),
        Kind::Gauge => describe_gauge!(name, Unit::Count, meaning),
        Kind::Seconds => describe_histogram!(name, Unit::Seconds, meaning),
    }
}
