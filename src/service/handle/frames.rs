//! Reads the frames of a session's own event log.

use std::{collections::VecDeque, ops::RangeInclusive};

use crate::proto::client::ServerEvent;

/// An event of a session, with its place in the stream.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SessionEvent {
    /// The sequence number, after which a reader can resume. `session_state` has none.
    pub seq: Option<u64>,
    /// The events right before this one that are no longer kept: token deltas of messages that are complete.
    pub compacted: Option<RangeInclusive<u64>>,
    /// The event.
    pub event: ServerEvent,
}

/// The events of encoded frames, with the jumps between them.
#[derive(Debug, Default)]
pub(super) struct Frames {
    read: VecDeque<SessionEvent>,
    /// A jump that was reported and is not followed by an event yet.
    compacted: Option<RangeInclusive<u64>>,
}

impl Frames {
    /// Reads whole frames.
    pub(super) fn push(&mut self, frames: &[u8]) {
        let frames = String::from_utf8_lossy(frames);
        frames.split("\n\n").filter(|frame| !frame.is_empty()).for_each(|frame| self.push_one(frame));
    }

    pub(super) fn pop(&mut self) -> Option<SessionEvent> {
        self.read.pop_front()
    }

    fn push_one(&mut self, frame: &str) {
        let (mut id, mut name, mut data) = (None, "", String::new());
        for line in frame.lines() {
            match line.split_once(": ") {
                Some(("id", value)) => id = value.parse().ok(),
                Some(("event", value)) => name = value,
                Some(("data", value)) if data.is_empty() => value.clone_into(&mut data),
                Some(("data", value)) => data = format!("{data}\n{value}"),
                Some(("", comment)) => self.compacted = jump(comment).or(self.compacted.take()),
                _ => {}
            }
        }
        if name.is_empty() {
            return;
        }
        let event = ServerEvent::parse(name, &data).unwrap_or_else(|_| ServerEvent::Other {
            name: name.to_owned(),
            data: serde_json::from_str(&data).unwrap_or_default(),
        });
        self.read.push_back(SessionEvent { seq: id, compacted: self.compacted.take(), event });
    }
}

/// Parses `compacted 12-340`.
fn jump(comment: &str) -> Option<RangeInclusive<u64>> {
    let (first, last) = comment.strip_prefix("compacted ")?.split_once('-')?;
    Some(first.parse().ok()?..=last.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(chunks: &[&str]) -> Vec<SessionEvent> {
        let mut frames = Frames::default();
        chunks.iter().for_each(|chunk| frames.push(chunk.as_bytes()));
        std::iter::from_fn(|| frames.pop()).collect()
    }

    #[test]
    fn numbers_names_and_jumps_are_read() {
        let events = read(&[
            "id: 3\nevent: status\ndata: {\"status\":\"a: b\"}\n\n: compacted 4-12\n\n",
            "id: 13\nevent: done\ndata: {}\n\nevent: news\ndata: [1]\n\n",
        ]);
        let ids: Vec<_> = events.iter().map(|event| (event.seq, event.compacted.clone())).collect();
        assert_eq!(ids, [(Some(3), None), (Some(13), Some(4..=12)), (None, None)]);
        assert!(matches!(&events[0].event, ServerEvent::Status(status) if status.status == "a: b"));
        assert_eq!(events[2].event.name(), "news");
    }

    #[test]
    fn an_event_that_lacks_a_member_is_not_lost() {
        let events = read(&["id: 1\nevent: tool_result\ndata: {\"is_error\":true}\n\n"]);
        assert_eq!(events[0].event.name(), "tool_result");
        assert_eq!(events[0].event.data()["is_error"], true);
    }
}
