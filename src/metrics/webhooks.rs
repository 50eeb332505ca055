//! Webhooks.

use std::time::Duration;

use super::metric::{Kind, Metric};

const ATTEMPTS: Metric = Metric::new(
    Kind::Counter,
    "agent_webkit_webhook_attempts_total",
    "Attempts to send a webhook, by outcome.",
);
const DURATION: Metric = Metric::new(
    Kind::Seconds,
    "agent_webkit_webhook_attempt_duration_seconds",
    "Time of an attempt to send a webhook.",
);
const LOST: Metric = Metric::new(
    Kind::Counter,
    "agent_webkit_webhooks_lost_total",
    "Webhooks that no receiver got, by reason.",
);

pub(super) const ALL: &[Metric] = &[ATTEMPTS, DURATION, LOST];

/// Counts an attempt to send a webhook.
#[cfg_attr(not(feature = "webhooks"), allow(dead_code, reason = "there are none"))]
pub(crate) fn webhook_attempted(was_received: bool, time: Duration) {
    let outcome = [("outcome", if was_received { "delivered" } else { "failed" })];
    ATTEMPTS.counter(&outcome).add(1);
    DURATION.histogram(&outcome).took(time);
}

/// Counts webhooks that are not sent: `given_up` or `queue_full`.
#[cfg_attr(not(feature = "webhooks"), allow(dead_code, reason = "there are none"))]
pub(crate) fn webhooks_lost(reason: &'static str, count: usize) {
    LOST.counter(&[("reason", reason)]).add(count as u64);
}
