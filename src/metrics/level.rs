//! Creates a metric's instruments, and tracks one owner's share of a gauge.

use super::{
    instruments::{Counter, Gauge, Histogram},
    metric::{Kind, Labels, Metric},
};

impl Metric {
    pub(super) fn counter(&self, labels: Labels<'_>) -> Counter {
        debug_assert!(matches!(self.kind, Kind::Counter | Kind::Bytes), "{self:?}");
        Counter::of(self.name, labels)
    }

    pub(super) fn histogram(&self, labels: Labels<'_>) -> Histogram {
        debug_assert_eq!(self.kind, Kind::Seconds, "{self:?}");
        Histogram::of(self.name, labels)
    }

    /// One owner's share of the gauge, zero at first.
    pub(super) fn level(&self) -> Level {
        debug_assert_eq!(self.kind, Kind::Gauge, "{self:?}");
        Level { gauge: Gauge::of(self.name), value: 0 }
    }

    #[cfg(feature = "metrics")]
    pub(super) fn describe(&self) {
        super::instruments::describe(self);
    }
}

/// One owner's share of a gauge. Dropping it takes the share off the gauge.
pub(super) struct Level {
    gauge: Gauge,
    value: usize,
}

impl Level {
    pub(super) fn set(&mut self, value: usize) {
        if value != self.value {
            self.gauge.change(value as f64 - self.value as f64);
            self.value = value;
        }
    }

    pub(super) const fn is(&self, value: usize) -> bool {
        self.value == value
    }

    /// Sets the value of a new level.
    pub(super) fn at(mut self, value: usize) -> Self {
        self.set(value);
        self
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        self.set(0);
    }
}
