//! Readers of event streams: attachment and delivery.

use super::{
    instruments::Counter,
    level::Level,
    metric::{Kind, Metric},
};

const ATTACHED: Metric =
    Metric::new(Kind::Gauge, "agent_webkit_readers", "Readers attached to event streams.");
const ATTACHES: Metric =
    Metric::new(Kind::Counter, "agent_webkit_resumes_total", "Requests for an event stream, by outcome.");
const EVICTED: Metric = Metric::new(
    Kind::Counter,
    "agent_webkit_readers_evicted_total",
    "Readers disconnected because they fell too far behind.",
);
const FRAMES: Metric =
    Metric::new(Kind::Counter, "agent_webkit_frames_sent_total", "Events sent to readers.");
const BYTES: Metric =
    Metric::new(Kind::Bytes, "agent_webkit_sent_bytes_total", "Bytes of events sent to readers.");

pub(super) const ALL: &[Metric] = &[ATTACHED, ATTACHES, EVICTED, FRAMES, BYTES];

/// The outcome of a request for an event stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attach {
    /// Attached before the oldest event.
    Fresh,
    /// Attached after the event that the request named.
    Resumed,
    /// 400: the event id is malformed.
    Malformed,
    /// 412: the events are no longer held.
    Gone,
    /// 412: the event does not exist yet.
    Ahead,
    /// 503: the event log is unavailable.
    Unavailable,
}

impl Attach {
    pub(crate) fn count(self) {
        let outcome = match self {
            Self::Fresh => "fresh",
            Self::Resumed => "resumed",
            Self::Malformed => "malformed",
            Self::Gone => "gone",
            Self::Ahead => "ahead",
            Self::Unavailable => "unavailable",
        };
        ATTACHES.counter(&[("outcome", outcome)]).add(1);
    }
}

/// The metrics of one attached reader.
pub(crate) struct ReaderMetrics {
    _attached: Level,
    frames: Counter,
    bytes: Counter,
}

impl ReaderMetrics {
    pub(crate) fn attached() -> Self {
        Self { _attached: ATTACHED.level().at(1), frames: FRAMES.counter(&[]), bytes: BYTES.counter(&[]) }
    }

    pub(crate) fn given(&self, frames: u64, bytes: usize) {
        self.frames.add(frames);
        self.bytes.add(bytes as u64);
    }

    pub(crate) fn evicted(&self) {
        EVICTED.counter(&[]).add(1);
    }
}
