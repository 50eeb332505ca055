//! Reads one connection's bytes as items, and checks that none is missing; without I/O.

use std::{collections::VecDeque, time::Duration};

use super::Item;
use crate::{
    client::Error,
    layers::resume::{EventParser, ParsedEvent, ParsedItem},
    proto::client::{Failed, Numbered, ServerEvent, compacted},
};

/// Maximum size of one event. The server's largest have 64 MiB of the agent's JSON.
const MAX_EVENT: usize = 128 << 20;

/// What a connection's bytes mean.
#[derive(Debug)]
pub(super) enum Read {
    /// An item for the caller.
    Item(Item),
    /// A sign of life.
    Keepalive,
    /// The shortest pause before a reconnection, as the server sets it.
    Retry(Duration),
    /// The server ends this connection, and says why. The session goes on.
    Ending(Failed),
}

/// The reader of one connection.
#[derive(Debug)]
pub(super) struct Reader {
    parser: EventParser,
    parsed: VecDeque<ParsedItem>,
    /// Why the bytes after those in `parsed` cannot be read.
    broken: Option<Error>,
}

impl Reader {
    pub(super) fn new() -> Self {
        Self { parser: EventParser::new(MAX_EVENT), parsed: VecDeque::new(), broken: None }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        let mut items = Vec::new();
        if let Err(error) = self.parser.push_items(bytes, &mut items) {
            self.broken = Some(Error::Protocol(error.to_string()));
        }
        self.parsed.extend(items);
    }

    /// Takes what comes next after the event with the number `last`, and moves `last` on. `None` is for the oldest event,
    /// whatever its number.
    pub(super) fn next(&mut self, last: &mut Option<u64>) -> Option<Result<Read, Error>> {
        let Some(item) = self.parsed.pop_front() else { return self.broken.take().map(Err) };
        Some(match item {
            ParsedItem::Event(event) => event_after(last, &event),
            ParsedItem::Comment(comment) => comment_after(last, &comment),
            ParsedItem::Retry(time) => Ok(Read::Retry(time)),
            _ => Ok(Read::Keepalive),
        })
    }
}

fn event_after(last: &mut Option<u64>, event: &ParsedEvent) -> Result<Read, Error> {
    let data = str::from_utf8(&event.data).map_err(|error| unreadable(event, &error))?;
    let parsed = ServerEvent::parse(&event.name, data).map_err(|error| unreadable(event, &error))?;
    let Some(id) = &event.id else {
        return match parsed {
            ServerEvent::SessionState(state) => Ok(Read::Item(Item::State(state))),
            ServerEvent::Error(failed) => Ok(Read::Ending(failed)),
            other => Err(Error::Protocol(format!("an event {} has no id", other.name()))),
        };
    };
    let seq = id.parse().map_err(|_| Error::Protocol(format!("{id:?} is not the number of an event")))?;
    if let Some(last) = *last {
        follows(last, seq)?;
    }
    *last = Some(seq);
    Ok(Read::Item(Item::Event(Numbered { seq, event: parsed })))
}

fn comment_after(last: &mut Option<u64>, comment: &str) -> Result<Read, Error> {
    if !comment.starts_with("compacted ") {
        return Ok(Read::Keepalive);
    }
    let range = compacted(comment).ok_or_else(|| Error::Protocol(format!("{comment:?} names no events")))?;
    if let Some(last) = *last {
        follows(last, *range.start())?;
    }
    *last = Some(*range.end());
    Ok(Read::Item(Item::Compacted(range)))
}

fn follows(last: u64, seq: u64) -> Result<(), Error> {
    match seq.checked_sub(last) {
        Some(1) => Ok(()),
        Some(2..) => Err(Error::Protocol(format!("event {seq} came after {last}: events are missing"))),
        _ => Err(Error::Protocol(format!("event {seq} came after {last}"))),
    }
}

fn unreadable(event: &ParsedEvent, error: &dyn std::error::Error) -> Error {
    let id = event.id.as_deref().unwrap_or("without id");
    Error::Protocol(format!("event {id} ({}) cannot be read: {error}", event.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a stream in parts of this size, after this event, and returns a word for each item.
    fn read(stream: &str, size: usize, mut last: Option<u64>) -> (Vec<String>, Option<u64>) {
        let (mut reader, mut words) = (Reader::new(), Vec::new());
        for part in stream.as_bytes().chunks(size) {
            reader.push(part);
            while let Some(read) = reader.next(&mut last) {
                words.push(match read {
                    Ok(Read::Item(Item::Event(Numbered { seq, event }))) => format!("{seq} {}", event.name()),
                    Ok(Read::Item(Item::State(state))) => format!("state {}", state.as_of_seq),
                    Ok(Read::Item(Item::Compacted(range))) => format!("{range:?}"),
                    Ok(Read::Item(other)) => format!("{other:?}"),
                    Ok(Read::Keepalive) => "alive".to_owned(),
                    Ok(Read::Retry(time)) => format!("retry {time:?}"),
                    Ok(Read::Ending(failed)) => failed.code,
                    Err(error) => error.to_string(),
                });
            }
        }
        (words, last)
    }

    fn event(seq: u64) -> String {
        format!("id: {seq}\nevent: x\ndata: {{}}\n\n")
    }

    #[test]
    fn a_stream_reads_the_same_however_it_is_cut() {
        let stream = [
            "retry: 250\n".to_owned(),
            event(4),
            ": compacted 5-9\n\n: compacted 10-10\n\n".to_owned(),
            event(11),
            "event: session_state\ndata: {\"status\":\"idle\",\"pending\":[],\"oldest_seq\":1,\"as_of_seq\":11}\n\n".to_owned(),
            ": keepalive\n\n".to_owned(),
            event(12),
            "event: error\ndata: {\"code\":\"evicted\",\"message\":\"m\"}\n\n".to_owned(),
        ]
        .concat();
        let wanted =
            ["retry 250ms", "4 x", "5..=9", "10..=10", "11 x", "state 11", "alive", "12 x", "evicted"];
        for size in 1..stream.len() {
            assert_eq!(
                read(&stream, size, Some(3)),
                (wanted.map(str::to_owned).to_vec(), Some(12)),
                "{size}"
            );
        }
        assert_eq!(read(&stream, 7, None).0, wanted);
    }

    #[test]
    fn only_a_comment_allows_a_gap() {
        let error = |stream: &str, last| read(stream, 1000, last).0.pop().unwrap();
        assert!(error(&event(5), Some(3)).ends_with("event 5 came after 3: events are missing"));
        assert!(error(&event(3), Some(3)).ends_with("event 3 came after 3"));
        assert!(error(&event(2), Some(3)).ends_with("event 2 came after 3"));
        let jump = |comment: &str, seq| format!(": compacted {comment}\n\n{}", event(seq));
        assert_eq!(error(&jump("4-6", 7), Some(3)), "7 x");
        assert!(error(&jump("4-6", 8), Some(3)).ends_with("event 8 came after 6: events are missing"));
        assert!(error(&jump("4-6", 6), Some(3)).ends_with("event 6 came after 6"));
        assert!(
            read(&jump("5-6", 7), 1000, Some(3)).0[0].ends_with("event 5 came after 3: events are missing")
        );
        assert!(read(&jump("3-6", 7), 1000, Some(3)).0[0].ends_with("event 3 came after 3"));
        for comment in ["6-4", "4", "4-", "x-7"] {
            assert!(read(&jump(comment, 7), 1000, Some(3)).0[0].ends_with("names no events"), "{comment}");
        }
    }

    #[test]
    fn what_is_not_the_protocol_is_an_error() {
        let error = |stream: &str| read(stream, 1000, None).0.pop().unwrap();
        assert!(error("event: x\ndata: {}\n\n").ends_with("an event x has no id"));
        assert!(error("id: a\nevent: x\ndata: {}\n\n").ends_with("\"a\" is not the number of an event"));
        assert!(error("id: 1\nevent: x\ndata: {\n\n").contains("event 1 (x) cannot be read"));
        assert!(error("id: 1\nevent: tool_result\ndata: {}\n\n").contains("missing field"));
    }
}
