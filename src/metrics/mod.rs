//! What is counted and timed, through the [`metrics`](https://docs.rs/metrics) facade.
//!
//! With the cargo feature `metrics` everything here goes to the recorder that the host has installed, be it
//! Prometheus, StatsD or OpenTelemetry; without the feature nothing is counted and nothing is paid. No label
//! holds an id, a name or a word of a client's, so there are as many series after a year as after a day.
//! `docs/metrics.md` lists them all. [`describe`](describe()) tells the recorder their units and meanings.
//!
//! Handles are taken when a session, a reader or an agent begins, and belong to the recorder of that moment:
//! install it before the stack is built.
#![cfg_attr(not(feature = "metrics"), allow(dead_code, reason = "names that nobody asks for"))]

mod agents;
mod inputs;
#[cfg_attr(not(feature = "metrics"), path = "silent.rs")]
mod instruments;
mod level;
mod metric;
mod readers;
mod sessions;
mod storage;

#[cfg(feature = "store")]
pub(crate) use self::storage::CommitTimes;
#[cfg(any(feature = "store", feature = "claude"))]
pub(crate) use self::storage::OutageMetrics;
pub(crate) use self::{
    agents::{AgentMetrics, Waiting, warm_claimed},
    inputs::input_answered,
    readers::{Attach, ReaderMetrics},
    sessions::{Begun, SessionMetrics, session_refused},
    storage::lease_lost,
};

/// Tells the recorder what each metric means, and in which unit it is. Call it once, after the recorder was
/// installed.
///
/// ```
/// let recorder = metrics_util::debugging::DebuggingRecorder::new();
/// metrics::with_local_recorder(&recorder, agent_webkit::metrics::describe);
/// assert!(recorder.snapshotter().snapshot().into_vec().is_empty(), "nothing has happened yet");
/// ```
#[cfg(feature = "metrics")]
pub fn describe() {
    all().for_each(metric::Metric::describe);
}

fn all() -> impl Iterator<Item = &'static metric::Metric> {
    [sessions::ALL, agents::ALL, inputs::ALL, readers::ALL, storage::ALL].into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::all;

    #[test]
    fn every_metric_is_in_the_guide_and_none_else() {
        let guide = include_str!("../../docs/metrics.md");
        let told: BTreeSet<&str> =
            guide.split('`').filter(|word| word.starts_with("agent_webkit_")).collect();
        assert_eq!(told, all().map(|metric| metric.name).collect());
    }
}
