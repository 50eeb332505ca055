//! A metric: its name, its kind, and its description.

/// A metric, declared as a constant beside the code that records it.
#[derive(Debug)]
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) meaning: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    /// A counter of bytes.
    Bytes,
    Gauge,
    /// A histogram of seconds.
    Seconds,
}

pub(super) type Labels<'a> = &'a [(&'static str, &'static str)];

impl Metric {
    pub(super) const fn new(kind: Kind, name: &'static str, meaning: &'static str) -> Self {
        Self { name, kind, meaning }
    }
}
