//! Several hosts: followed streams, messages between hosts, sessions of dead hosts.

use super::metric::{Kind, Metric};

const FOLLOWED: Metric = Metric::new(
    Kind::Gauge,
    "agent_webkit_followed_streams",
    "Streams that another host writes and that have readers here.",
);
const MESSAGES: Metric = Metric::new(
    Kind::Counter,
    "agent_webkit_inbox_messages_total",
    "Messages for sessions of other hosts (sent), and messages that other hosts received for sessions here (taken).",
);
const TAKEOVERS: Metric = Metric::new(
    Kind::Counter,
    "agent_webkit_takeovers_total",
    "Sessions taken from a host that was found dead before its lease had expired.",
);
const HEARD: Metric = Metric::new(
    Kind::Gauge,
    "agent_webkit_hints_heard",
    "1 while the hints of other hosts can be heard, else 0.",
);

const HINTS: Metric = Metric::new(
    Kind::Counter,
    "agent_webkit_hints_total",
    "Hints to other hosts that were sent or could not be sent (failed), and hints of others (heard).",
);

pub(super) const ALL: &[Metric] = &[FOLLOWED, MESSAGES, TAKEOVERS, HEARD, HINTS];

/// Counts hints: sent, failed or heard.
#[cfg(feature = "postgres")]
pub(crate) fn hints(outcome: &'static str, number: usize) {
    HINTS.counter(&[("outcome", outcome)]).add(number as u64);
}

/// Counts a message that is sent to the host of its session.
pub(crate) fn message_sent() {
    MESSAGES.counter(&[("side", "sent")]).add(1);
}

/// Counts a message that another host has received for a session here.
pub(crate) fn message_taken() {
    MESSAGES.counter(&[("side", "taken")]).add(1);
}

/// Counts a session that is taken from a dead host.
#[cfg(feature = "store")]
pub(crate) fn taken_over() {
    TAKEOVERS.counter(&[]).add(1);
}

/// A followed stream, or a connection on which hints are heard, counted until dropped.
#[cfg(feature = "store")]
pub(crate) struct Counted {
    _level: super::level::Level,
}

#[cfg(feature = "store")]
impl Counted {
    pub(crate) fn followed() -> Self {
        Self { _level: FOLLOWED.level().at(1) }
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn heard() -> Self {
        Self { _level: HEARD.level().at(1) }
    }
}

#[cfg(feature = "store")]
impl std::fmt::Debug for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Counted").finish_non_exhaustive()
    }
}
