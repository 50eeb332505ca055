//! Reads the frames of a session's own event log.

use std::{collections::VecDeque, ops::RangeInclusive};

use crate::{
    layers::resume::{EventParser, ParsedEvent, ParsedItem},
    proto::client::{ServerEvent, compacted},
};

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
#[derive(Debug)]
pub(super) struct Frames {
    parser: EventParser,
    read: VecDeque<SessionEvent>,
    /// A jump that was reported and is not followed by an event yet.
    compacted: Option<RangeInclusive<u64>>,
}

impl Frames {
    pub(super) fn new() -> Self {
        Self { parser: EventParser::new(usize::MAX), read: VecDeque::new(), compacted: None }
    }

    pub(super) fn push(&mut self, frames: &[u8]) {
        let mut items = Vec::new();
        // The frames are the server's own, and the parser has no limit.
        let _ = self.parser.push_items(frames, &mut items);
        for item in items {
            match item {
                ParsedItem::Event(event) => self.read.push_back(SessionEvent {
                    seq: event.id.as_deref().and_then(|id| id.parse().ok()),
                    compacted: self.compacted.take(),
                    event: read(&event),
                }),
                ParsedItem::Comment(comment) => self.note_jump(&comment),
                _ => {}
            }
        }
    }

    pub(super) fn pop(&mut self) -> Option<SessionEvent> {
        self.read.pop_front()
    }

    fn note_jump(&mut self, comment: &str) {
        if let Some(jump) = compacted(comment) {
            let first = self.compacted.as_ref().map_or(*jump.start(), |earlier| *earlier.start());
            self.compacted = Some(first..=*jump.end());
        }
    }
}

fn read(event: &ParsedEvent) -> ServerEvent {
    let data = String::from_utf8_lossy(&event.data);
    ServerEvent::parse(&event.name, &data).unwrap_or_else(|_| ServerEvent::Other {
        name: event.name.clone(),
        data: serde_json::from_str(&data).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(chunks: &[&str]) -> Vec<SessionEvent> {
        let mut frames = Frames::new();
        chunks.iter().for_each(|chunk| frames.push(chunk.as_bytes()));
        std::iter::from_fn(|| frames.pop()).collect()
    }

    #[test]
    fn numbers_names_and_jumps_are_read() {
        let events = read_all(&[
            "id: 3\nevent: status\ndata: {\"status\":\"a: b\"}\n\n: compacted 4-5\n\n: compacted 6-12\n\n",
            "id: 13\nevent: done\ndata: {}\n\nevent: news\ndata: [1]\n\n",
        ]);
        let ids: Vec<_> = events.iter().map(|event| (event.seq, event.compacted.clone())).collect();
        assert_eq!(ids, [(Some(3), None), (Some(13), Some(4..=12)), (None, None)]);
        assert!(matches!(&events[0].event, ServerEvent::Status(status) if status.status == "a: b"));
        assert_eq!(events[2].event.name(), "news");
    }

    #[test]
    fn an_event_that_lacks_a_member_is_not_lost() {
        let events = read_all(&["id: 1\nevent: tool_result\ndata: {\"is_error\":true}\n\n"]);
        assert_eq!(events[0].event.name(), "tool_result");
        assert_eq!(events[0].event.data()["is_error"], true);
    }
}
