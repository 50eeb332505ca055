//! An incremental parser of event streams, without I/O.

use std::fmt;

use bytes::Bytes;

/// Capacity of the line buffer that is kept from one line to the next, in bytes.
const KEPT_CAPACITY: usize = 64 << 10;
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// An event that [`EventParser`] has read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedEvent {
    /// Its `event:` field; empty if it has none.
    pub name: String,
    /// Its `data:` fields, joined by `\n`.
    pub data: Bytes,
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
/// without data and an incomplete event at the stream's end are dropped. Comments, `id:`, `retry:` and unknown
/// fields are skipped.
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
    name: String,
    data: Option<Vec<u8>>,
}

impl EventParser {
    /// A parser that holds at most `limit` bytes of an unfinished event.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, line: Vec::new(), after_cr: false, at_start: true, name: String::new(), data: None }
    }

    /// Parses the next bytes and appends the events that they complete to `events`.
    ///
    /// # Errors
    /// The current event is too large. `events` has the events before it; the parser cannot be used any more.
    pub fn push(&mut self, mut bytes: &[u8], events: &mut Vec<ParsedEvent>) -> Result<(), EventTooLarge> {
        while !bytes.is_empty() {
            if std::mem::take(&mut self.after_cr) && bytes[0] == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let Some(end) = bytes.iter().position(|&b| b == b'\n' || b == b'\r') else {
                return self.keep(bytes);
            };
            self.after_cr = bytes[end] == b'\r';
            self.end_line(&bytes[..end], events)?;
            bytes = &bytes[end + 1..];
        }
        Ok(())
    }

    /// Keeps the beginning or a further part of a line. Of a comment it keeps only the colon.
    fn keep(&mut self, part: &[u8]) -> Result<(), EventTooLarge> {
        match (self.line.first(), part.first()) {
            (Some(b':'), _) => return Ok(()),
            (None, Some(b':')) => self.line.push(b':'),
            _ => {
                self.check_size(part)?;
                self.line.extend_from_slice(part);
            }
        }
        Ok(())
    }

    fn end_line(&mut self, part: &[u8], events: &mut Vec<ParsedEvent>) -> Result<(), EventTooLarge> {
        if self.line.is_empty() {
            self.check_size(part)?;
            self.take_line(part, events);
        } else {
            self.keep(part)?;
            let mut line = std::mem::take(&mut self.line);
            self.take_line(&line, events);
            line.clear();
            line.shrink_to(KEPT_CAPACITY);
            self.line = line;
        }
        Ok(())
    }

    fn take_line(&mut self, line: &[u8], events: &mut Vec<ParsedEvent>) {
        let first = std::mem::take(&mut self.at_start);
        let line = if first { line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line) } else { line };
        if line.is_empty() {
            return self.dispatch(events);
        }
        let colon = line.iter().position(|&b| b == b':').unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match (&line[..colon], &mut self.data) {
            (b"event", _) => self.name = String::from_utf8_lossy(value).into_owned(),
            (b"data", data @ None) => *data = Some(value.to_vec()),
            (b"data", Some(data)) => {
                data.push(b'\n');
                data.extend_from_slice(value);
            }
            _ => {}
        }
    }

    fn dispatch(&mut self, events: &mut Vec<ParsedEvent>) {
        let name = std::mem::take(&mut self.name);
        if let Some(data) = self.data.take() {
            events.push(ParsedEvent { name, data: data.into() });
        }
    }

    /// Checks that the kept part of the current event, together with `more` of its current line, is within the limit.
    fn check_size(&self, more: &[u8]) -> Result<(), EventTooLarge> {
        let data = self.data.as_ref().map_or(0, Vec::len);
        let size = self.name.len() + data + self.line.len() + more.len();
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
    fn comments_ids_retries_and_unknown_fields_are_skipped() {
        let stream = b": hello\nid: 7\nretry: 10\ncolour: red\ndata : x\ndata: 1\n:\n\n";
        assert_eq!(parse(stream), [event("", "1")]);
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
        assert!(parser.line.capacity() < 200);
    }
}
