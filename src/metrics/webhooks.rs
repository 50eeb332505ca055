//! Webhooks, and notifications on devices.

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

const PUSH_ATTEMPTS: Metric = Metric::new(
    Kind::Counter,
    "agent_webkit_push_attempts_total",
    "Attempts to send a notification to a device, by outcome.",
);
const PUSH_DURATION: Metric = Metric::new(
    Kind::Seconds,
    "agent_webkit_push_attempt_duration_seconds",
    "Time of an attempt to send a notification.",
);
const PUSHES_LOST: Metric = Metric::new(
    Kind::Counter,
    "agent_webkit_pushes_lost_total",
    "Notifications that no device got, by reason.",
);

pub(super) const ALL: &[Metric] = &[ATTEMPTS, DURATION, LOST, PUSH_ATTEMPTS, PUSH_DURATION, PUSHES_LOST];

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

/// Counts an attempt to send a notification to a device.
#[cfg_attr(not(feature = "push"), allow(dead_code, reason = "there are none"))]
pub(crate) fn push_attempted(was_taken: bool, time: Duration) {
    let outcome = [("outcome", if was_taken { "delivered" } else { "failed" })];
    PUSH_ATTEMPTS.counter(&outcome).add(1);
    PUSH_DURATION.histogram(&outcome).took(time);
}

/// Counts notifications that are not sent: `given_up` or `queue_full`.
#[cfg_attr(not(feature = "push"), allow(dead_code, reason = "there are none"))]
pub(crate) fn pushes_lost(reason: &'static str, count: usize) {
    PUSHES_LOST.counter(&[("reason", reason)]).add(count as u64);
}
