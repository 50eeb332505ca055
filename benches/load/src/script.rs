//! The scripts of the bench's agents and their events, the same for all servers.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The script in a user's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// This many deltas at once, each with this many bytes of text.
    Burst { events: u64, bytes: usize },
    /// This many deltas, each after a pause and with its creation time.
    Trickle { events: u64, pause: Duration },
}

impl Script {
    /// Parses `burst EVENTS BYTES` or `trickle EVENTS MICROSECONDS`.
    pub fn parse(content: &str) -> Option<Self> {
        let words: Vec<&str> = content.trim_matches('"').split(' ').collect();
        let [name, events, size] = words[..] else { return None };
        let events = events.parse().ok()?;
        match name {
            "burst" => Some(Self::Burst { events, bytes: size.parse().ok()? }),
            "trickle" => Some(Self::Trickle { events, pause: Duration::from_micros(size.parse().ok()?) }),
            _ => None,
        }
    }

    /// Parses the script in the body of a `POST …/input`.
    pub fn of_input(body: &[u8]) -> Option<Self> {
        let body: serde_json::Value = serde_json::from_slice(body).ok()?;
        Self::parse(body.get("content")?.as_str()?)
    }
}

/// Returns the data of a `message_delta`, byte for byte as the product writes it.
pub fn delta_data(text: &str) -> String {
    format!(r#"{{"message_id":"msg_1","delta":{{"type":"text","text":"{text}"}}}}"#)
}

pub fn filler(bytes: usize) -> String {
    "abcdefghij klmnopqrstuvwxyz".chars().cycle().take(bytes).collect()
}

/// Returns a text with the time, in nanoseconds of the machine's monotonic clock.
pub fn stamp() -> String {
    format!("t={} ", monotonic_nanos())
}

pub fn monotonic_nanos() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
}
