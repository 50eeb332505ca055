//! Databases: commit times, outages and lost leases.

use super::metric::{Kind, Metric};

const COMMIT_TIME: Metric = Metric::new(
    Kind::Seconds,
    "agent_webkit_log_commit_duration_seconds",
    "Duration of one transaction of the durable event log, which stores batches of all streams.",
);
const LOG_OUTAGES: Metric =
    Metric::new(Kind::Counter, "agent_webkit_log_outages_total", "Outages of the event log's database.");
const LOG_AWAY: Metric =
    Metric::new(Kind::Gauge, "agent_webkit_log_away", "Event logs that currently cannot be written.");
const TRANSCRIPT_OUTAGES: Metric = Metric::new(
    Kind::Counter,
    "agent_webkit_transcript_store_outages_total",
    "Outages of the transcript store, counted for each agent.",
);
const TRANSCRIPTS_AWAY: Metric = Metric::new(
    Kind::Gauge,
    "agent_webkit_transcript_store_away",
    "Agents whose transcripts currently cannot be stored.",
);
const LEASES_LOST: Metric = Metric::new(
    Kind::Counter,
    "agent_webkit_leases_lost_total",
    "Sessions that another host has taken over.",
);

pub(super) const ALL: &[Metric] =
    &[COMMIT_TIME, LOG_OUTAGES, LOG_AWAY, TRANSCRIPT_OUTAGES, TRANSCRIPTS_AWAY, LEASES_LOST];

/// Counts a session that another host has taken over.
pub(crate) fn lease_lost() {
    LEASES_LOST.counter(&[]).add(1);
}

/// Counts an outage of a database, which lasts until this is dropped.
#[cfg(any(feature = "store", feature = "claude"))]
pub(crate) struct OutageMetrics {
    _away: super::level::Level,
}

#[cfg(any(feature = "store", feature = "claude"))]
impl OutageMetrics {
    #[cfg(feature = "store")]
    pub(crate) fn of_log() -> Self {
        LOG_OUTAGES.counter(&[]).add(1);
        Self { _away: LOG_AWAY.level().at(1) }
    }

    #[cfg(feature = "claude")]
    pub(crate) fn of_transcripts() -> Self {
        TRANSCRIPT_OUTAGES.counter(&[]).add(1);
        Self { _away: TRANSCRIPTS_AWAY.level().at(1) }
    }
}

#[cfg(any(feature = "store", feature = "claude"))]
impl std::fmt::Debug for OutageMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OutageMetrics").finish_non_exhaustive()
    }
}

/// Records the duration of a durable log's transactions.
#[cfg(feature = "store")]
pub(crate) struct CommitTimes(super::instruments::Histogram);

#[cfg(feature = "store")]
impl CommitTimes {
    pub(crate) fn new() -> Self {
        Self(COMMIT_TIME.histogram(&[]))
    }

    pub(crate) fn took(&self, time: std::time::Duration) {
        self.0.took(time);
    }
}

#[cfg(feature = "store")]
impl std::fmt::Debug for CommitTimes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CommitTimes").finish_non_exhaustive()
    }
}
