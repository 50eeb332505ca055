//! Counters, gauges and timers, through the [`metrics`](https://docs.rs/metrics) facade.
//!
//! With the cargo feature `metrics` they go to the recorder that the host has installed: Prometheus, StatsD
//! or OpenTelemetry. Without the feature nothing is recorded. No label holds an id, a name or text from a
//! client, so the number of series does not grow. `docs/metrics.md` lists all metrics.
//! [`describe`](describe()) registers their units and descriptions with the recorder.
//!
//! A session, a reader or an agent takes its handles when it starts, from the recorder installed at that
//! moment, so install the recorder before you build the stack.
#![cfg_attr(not(feature = "metrics"), allow(dead_code, reason = "unused without a recorder"))]

mod agents;
mod hosts;
mod inputs;
#[cfg_attr(not(feature = "metrics"), path = "silent.rs")]
mod instruments;
mod level;
mod metric;
mod readers;
mod sessions;
mod storage;
mod webhooks;

#[cfg(feature = "postgres")]
pub(crate) use self::hosts::hints;
#[cfg(feature = "store")]
pub(crate) use self::hosts::{Counted, taken_over};
#[cfg(feature = "store")]
pub(crate) use self::storage::CommitTimes;
#[cfg(any(feature = "store", feature = "claude"))]
pub(crate) use self::storage::OutageMetrics;
#[cfg(feature = "push")]
pub(crate) use self::webhooks::{push_attempted, pushes_lost};
#[cfg(feature = "webhooks")]
pub(crate) use self::webhooks::{webhook_attempted, webhooks_lost};
pub(crate) use self::{
    agents::{AgentMetrics, Waiting, warm_claimed},
    hosts::{message_sent, message_taken},
    inputs::input_answered,
    readers::{Attach, ReaderMetrics},
    sessions::{Begun, SessionMetrics, session_refused},
    storage::lease_lost,
};

/// Registers the unit and description of each metric with the recorder. Call it once, after installing the
/// recorder.
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
    [sessions::ALL, agents::ALL, inputs::ALL, readers::ALL, storage::ALL, hosts::ALL, webhooks::ALL]
        .into_iter()
        .flatten()
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
