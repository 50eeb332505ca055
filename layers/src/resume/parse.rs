//! An incremental parser of event streams, without I/O.

use std::{fmt, time::Duration};

use bytes::Bytes;

/// Capacity of the line buffer that is kept from one line to the next, in bytes.
const KEPT_CAPACITY: usize = 64 << 10;
/// Length up to which a comment is kept, in bytes.
const KEPT_COMMENT: usize = 256;
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// An event that [`EventParser`] has read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedEvent {
    /// Its own `id:` field, if it has one. The *last event ID* of the standard is the newest of these.
    pub id: Option<String>,
    /// Its `event:` field; empty if it has none.
    pub name: String,
    /// Its `data:` fields, joined by `\n`.
    pub data: Bytes,
}

/// What [`EventParser::push_items`] has read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParsedItem {
    /// An event.
    Event(ParsedEvent),
    /// A comment without its colon and the spaces around it: its first 256 bytes. One inside an event comes before the
    /// event.
    Comment(String),
    /// A `retry:` field: the time to wait before a reconnection.
    Retry(Duration),
    /// An `id:` field without an event. By the standard it is the last event id of the events that follow.
    Id(String),
}

/// Takes what the parser reads.
trait Sink {
    fn event(&mut self, event: ParsedEvent);
    fn comment(&mut self, _text: &[u8]) {}
    fn retry(&mut self, _time: Duration) {}
    fn id(&mut self, _id: String) {}
}

impl Sink for Vec<ParsedEvent> {
    fn event(&mut self, event: ParsedEvent) {
        self.push(event);
    }
}

impl Sink for Vec<ParsedItem> {
    fn event(&mut self, event: ParsedEvent) {
        self.push(ParsedItem::Event(event));
    }

    fn comment(&mut self, text: &[u8]) {
        self.push(ParsedItem::Comment(String::from_utf8_lossy(text.trim_ascii()).into_owned()));
    }

    fn retry(&mut self, time: Duration) {
        self.push(ParsedItem::Retry(time));
    }

    fn id(&mut self, id: String) {
        self.push(ParsedItem::Id(id));
    }
}

/// An event is larger than the parser's limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventTooLarge {
    /// The limit, in bytes.
    pub limit: usize,
}

impl fmt::Display for EventTooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an event is larger than {} bytes", self.limit)
    }
}

impl std::error::Error for EventTooLarge {}

/// Parses the events of an event stream from chunks of bytes that may end anywhere.
///
/// It follows the WHATWG standard: lines end in LF, CRLF or CR; a byte order mark at the start is skipped; an event
/// without data and an incomplete event at the stream's end are dropped; unknown fields are skipped. [`push`](Self::push)
/// skips comments and `retry:` fields too, [`push_items`](Self::push_items) returns them.
///
/// ```
/// use agent_webkit_layers::resume::EventParser;
///
/// let mut parser = EventParser::new(1 << 20);
/// let mut events = Vec::new();
/// parser.push(b"event: greeting\ndata: hel", &mut events).unwrap();
/// assert!(events.is_empty());
/// parser.push(b"lo\n\n", &mut events).unwrap();
/// assert_eq!((events[0].name.as_str(), &events[0].data[..]), ("greeting", &b"hello"[..]));
/// ```
#[derive(Debug)]
pub struct EventParser {
    limit: usize,
    /// The beginning of an incomplete line.
    line: Vec<u8>,
    /// Whether the last line ended in CR, so that an LF right after it belongs to the same line end.
    after_cr: bool,
    at_start: bool,
    id: Option<String>,
    name: String,
    data: Option<Vec<u8>>,
}

impl EventParser {
    /// A parser that holds at most `limit` bytes of an unfinished event.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        let (id, name, line) = (None, String::new(), Vec::new());
        Self { limit, line, after_cr: false, at_start: true, id, name, data: None }
    }

    /// Parses the next bytes and appends the events that they complete to `events`.
    ///
    /// # Errors
    /// The current event is too large. `events` has the events before it; the parser cannot be used any more.
    pub fn push(&mut self, bytes: &[u8], events: &mut Vec<ParsedEvent>) -> Result<(), EventTooLarge> {
        self.read(bytes, events)
    }

    /// Parses the next bytes and appends the events, comments, `retry:` fields and `id:` fields without an event that they
    /// complete to `items`.
    ///
    /// ```
    /// use agent_webkit_layers::resume::{EventParser, ParsedItem};
    ///
    /// let mut items = Vec::new();
    /// EventParser::new(1 << 20).push_items(b": keepalive\n\nid: 7\ndata: hello\n\n", &mut items).unwrap();
    /// let [ParsedItem::Comment(comment), ParsedItem::Event(event)] = &items[..] else { panic!() };
    /// assert_eq!((comment.as_str(), event.id.as_deref()), ("keepalive", Some("7")));
    /// ```
    ///
    /// # Errors
    /// As for [`push`](Self::push).
    pub fn push_items(&mut self, bytes: &[u8], items: &mut Vec<ParsedItem>) -> Result<(), EventTooLarge> {
        self.read(bytes, items)
    }

    fn read(&mut self, mut bytes: &[u8], sink: &mut impl Sink) -> Result<(), EventTooLarge> {
        while !bytes.is_empty() {
            if std::mem::take(&mut self.after_cr) && bytes[0] == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let Some(end) = bytes.iter().position(|&b| b == b'\n' || b == b'\r') else {
                return self.keep(bytes);
            };
            self.after_cr = bytes[end] == b'\r';
            self.end_line(&bytes[..end], sink)?;
            bytes = &bytes[end + 1..];
        }
        Ok(())
    }

    /// Keeps the beginning or a further part of a line. Of a comment it keeps only the beginning.
    fn keep(&mut self, part: &[u8]) -> Result<(), EventTooLarge> {
        if self.line.first().or(part.first()) == Some(&b':') {
            let room = KEPT_COMMENT.saturating_sub(self.line.len());
            self.line.extend_from_slice(&part[..part.len().min(room)]);
        } else {
            self.check_size(part)?;
            self.line.extend_from_slice(part);
        }
        Ok(())
    }

    fn end_line(&mut self, part: &[u8], sink: &mut impl Sink) -> Result<(), EventTooLarge> {
        if self.line.is_empty() {
            self.check_size(part)?;
            self.take_line(part, sink);
        } else {
            self.keep(part)?;
            let mut line = std::mem::take(&mut self.line);
            self.take_line(&line, sink);
            line.clear();
            line.shrink_to(KEPT_CAPACITY);
            self.line = line;
        }
        Ok(())
    }

    fn take_line(&mut self, line: &[u8], sink: &mut impl Sink) {
        let first = std::mem::take(&mut self.at_start);
        let line = if first { line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line) } else { line };
        if line.is_empty() {
            return self.dispatch(sink);
        }
        let colon = line.iter().position(|&b| b == b':').unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default();
        if colon == 0 {
            return sink.comment(&value[..value.len().min(KEPT_COMMENT)]);
        }
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match (&line[..colon], &mut self.data) {
            (b"event", _) => self.name = String::from_utf8_lossy(value).into_owned(),
            (b"data", data @ None) => *data = Some(value.to_vec()),
            (b"data", Some(data)) => {
                data.push(b'\n');
                data.extend_from_slice(value);
            }
            // The standard ignores an id with a NUL, and a time that is anything but digits.
            (b"id", _) if !value.contains(&0) => self.id = Some(String::from_utf8_lossy(value).into_owned()),
            (b"retry", _) if value.iter().all(u8::is_ascii_digit) => {
                let time = str::from_utf8(value).ok().and_then(|digits| digits.parse().ok());
                time.into_iter().for_each(|time| sink.retry(Duration::from_millis(time)));
            }
            _ => {}
        }
    }

    fn dispatch(&mut self, sink: &mut impl Sink) {
        let (id, name) = (self.id.take(), std::mem::take(&mut self.name));
        match (self.data.take(), id) {
            (Some(data), id) => sink.event(ParsedEvent { id, name, data: data.into() }),
            (None, Some(id)) => sink.id(id),
            (None, None) => {}
        }
    }

    /// Checks that the kept part of the current event, together with `more` of its current line, is within the limit.
    fn check_size(&self, more: &[u8]) -> Result<(), EventTooLarge> {
        let data = self.data.as_ref().map_or(0, Vec::len);
        let id = self.id.as_ref().map_or(0, String::len);
        let size = id + self.name.len() + data + self.line.len() + more.len();
        let comment = self.line.is_empty() && more.starts_with(b":");
        if size > self.limit && !comment { Err(EventTooLarge { limit: self.limit }) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(stream: &[u8]) -> Vec<(String, String)> {
        let mut events = Vec::new();
        EventParser::new(1000).push(stream, &mut events).unwrap();
        events.into_iter().map(|e| (e.name, String::from_utf8(e.data.to_vec()).unwrap())).collect()
    }

    fn event(name: &str, data: &str) -> (String, String) {
        (name.to_owned(), data.to_owned())
    }

    #[test]
    fn every_kind_of_line_end_counts() {
        for end in ["\n", "\r\n", "\r"] {
            let stream = ["event: a", "data: 1", "", "data: 2", "data: 3", "", ""].join(end);
            assert_eq!(parse(stream.as_bytes()), [event("a", "1"), event("", "2\n3")], "{end:?}");
        }
        assert_eq!(parse(b"data: 1\r\ndata: 2\r\r\n"), [event("", "1\n2")]);
        assert_eq!(parse(b"data: 1\n\rdata: 2\r\n\n"), [event("", "1"), event("", "2")]);
    }

    #[test]
    fn one_space_after_the_colon_is_not_part_of_the_value() {
        assert_eq!(parse(b"data:a\n\ndata:  b\n\n"), [event("", "a"), event("", " b")]);
    }

    #[test]
    fn a_field_without_a_colon_is_empty() {
        assert_eq!(parse(b"data\n\ndata\ndata\n\n"), [event("", ""), event("", "\n")]);
    }

    #[test]
    fn an_event_without_data_is_none_and_its_name_is_gone() {
        assert_eq!(parse(b"event: a\n\ndata: 1\n\n"), [event("", "1")]);
        assert_eq!(parse(b"\n\n\r\n\n"), []);
    }

    #[test]
    fn what_the_end_cuts_off_is_dropped() {
        assert_eq!(parse(b"data: 1\n\ndata: 2\n"), [event("", "1")]);
    }

    #[test]
    fn unknown_fields_are_skipped() {
        let stream = b": hello\nid: 7\nretry: 10\ncolour: red\ndata : x\ndata: 1\n:\n\n";
        assert_eq!(parse(stream), [event("", "1")]);
    }

    #[test]
    fn comments_ids_and_retries_are_items() {
        let stream =
            b": hello \nid: 7\nretry: 10\nretry: 1x\ndata: 1\n\nid: a\0b\ndata: 2\n\nid:\ndata: 3\n\n:\n";
        let event = |id: Option<&str>, data: &'static str| {
            ParsedItem::Event(ParsedEvent {
                id: id.map(str::to_owned),
                name: String::new(),
                data: data.into(),
            })
        };
        let comment = |text: &str| ParsedItem::Comment(text.to_owned());
        let retry = ParsedItem::Retry(Duration::from_millis(10));
        let wanted = [
            comment("hello"),
            retry,
            event(Some("7"), "1"),
            event(None, "2"),
            event(Some(""), "3"),
            comment(""),
        ];
        for size in 1..stream.len() {
            let (mut parser, mut items) = (EventParser::new(100), Vec::new());
            stream.chunks(size).for_each(|part| parser.push_items(part, &mut items).unwrap());
            assert_eq!(items, wanted, "in parts of {size}");
        }
    }

    #[test]
    fn of_a_long_comment_the_beginning_is_an_item() {
        let stream = [b": ", &[b'x'; 1000][..], b"\n"].concat();
        for size in [1, 100, stream.len()] {
            let (mut parser, mut items) = (EventParser::new(100), Vec::new());
            stream.chunks(size).for_each(|part| parser.push_items(part, &mut items).unwrap());
            let [ParsedItem::Comment(text)] = &items[..] else { panic!("{items:?}") };
            assert!((KEPT_COMMENT - 2..=KEPT_COMMENT).contains(&text.len()), "{}", text.len());
        }
    }

    #[test]
    fn a_byte_order_mark_counts_at_the_start_only() {
        assert_eq!(parse(b"\xEF\xBB\xBFdata: 1\n\n\xEF\xBB\xBFdata: 2\n\n"), [event("", "1")]);
        let mut parser = EventParser::new(100);
        let mut events = Vec::new();
        for byte in b"\xEF\xBB\xBFdata: 1\n\n" {
            parser.push(&[*byte], &mut events).unwrap();
        }
        assert_eq!(events.len(), 1);
    }

    #[test]
    fn an_event_is_dispatched_by_the_cr_without_waiting_for_an_lf() {
        let mut parser = EventParser::new(100);
        let mut events = Vec::new();
        parser.push(b"data: 1\r\n\r", &mut events).unwrap();
        assert_eq!(events.len(), 1);
        parser.push(b"\ndata: 2\r\n\r\n", &mut events).unwrap();
        assert_eq!(events.len(), 2);
    }

    #[test]
    fn a_large_event_is_an_error_in_one_line_or_in_many() {
        let mut events = Vec::new();
        let line = [b"data: 1\n\ndata: ", &[b'x'; 200][..]].concat();
        assert_eq!(EventParser::new(100).push(&line, &mut events), Err(EventTooLarge { limit: 100 }));
        assert_eq!(events.len(), 1);
        let mut parser = EventParser::new(100);
        let pushed = (0..30).try_for_each(|_| parser.push(b"data: xxxxx\n", &mut events));
        assert_eq!(pushed, Err(EventTooLarge { limit: 100 }));
        let whole_line = [b"data: ", &[b'x'; 200][..], b"\n\n"].concat();
        assert!(EventParser::new(100).push(&whole_line, &mut events).is_err());
    }

    #[test]
    fn a_long_comment_is_not_held() {
        let mut parser = EventParser::new(100);
        let mut events = Vec::new();
        parser.push(b":", &mut events).unwrap();
        for _ in 0..100 {
            parser.push(&[b'x'; 100], &mut events).unwrap();
        }
        parser.push(b"x\ndata: 1\n", &mut events).unwrap();
        parser.push(&[b":", &[b'x'; 200][..], b"\n\n"].concat(), &mut events).unwrap();
        assert_eq!(events.len(), 1);
        assert!(parser.line.capacity() <= 2 * KEPT_COMMENT);
    }
}
