//! Readers of streams: how they are attached, and what they are given.

use super::{
    instruments::Counter,
    level::Level,
    metric::{Kind, Metric},
};

const ATTACHED: Metric =
    Metric::new(Kind::Gauge, "agent_webkit_readers", "Readers that are attached to streams.");
const ATTACHES: Metric = Metric::new(
    Kind::Counter,
    "agent_webkit_resumes_total",
    "Requests for a stream, by what became of them.",
);
const EVICTED: Metric = Metric::new(
    Kind::Counter,
    "agent_webkit_readers_evicted_total",
    "Readers that fell too far behind and were sent away.",
);
const FRAMES: Metric =
    Metric::new(Kind::Counter, "agent_webkit_frames_sent_total", "Events that were given to readers.");
const BYTES: Metric =
    Metric::new(Kind::Bytes, "agent_webkit_sent_bytes_total", "Bytes of events that were given to readers.");

pub(super) const ALL: &[Metric] = &[ATTACHED, ATTACHES, EVICTED, FRAMES, BYTES];

/// What became of a request for a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attach {
    /// Attached, from the oldest event.
    Fresh,
    /// Attached, after the event that was named.
    Resumed,
    /// 400
    Malformed,
    /// 412: the events are not held any more.
    Gone,
    /// 412: the event was never sent.
    Ahead,
    /// 503
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

/// What is counted of one reader while it is attached.
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
