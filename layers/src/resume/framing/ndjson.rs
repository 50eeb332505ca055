use super::{Framing, ReadEvents};
use crate::{
    json,
    resume::{Event, EventTooLarge},
};

/// Streams of newline-delimited JSON: `application/x-ndjson`, `application/ndjson` and `application/jsonl`.
///
/// Every line is an event; empty lines are dropped. The lines have no ids, so a client counts them: it comes back with the
/// number of lines that it has, as `Last-Event-ID`. Nothing is sent in silence, because not every client skips empty
/// lines. If the stream fails, the last line is `{"error":{"code":"…","message":"…"}}`.
///
/// ```
/// use agent_webkit_layers::resume::{Ndjson, RecordLayer, RingLog, StreamIds};
///
/// # fn layer(next_uuid: fn() -> String) -> RecordLayer<RingLog, StreamIds, Ndjson> {
/// RecordLayer::new(RingLog::default(), StreamIds::new(next_uuid)).framing(Ndjson)
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Ndjson;

impl Framing for Ndjson {
    type Reader = NdjsonReader;

    fn accepts(&self, media_type: &str) -> bool {
        ["application/x-ndjson", "application/ndjson", "application/jsonl"].contains(&media_type)
    }

    fn media_type(&self) -> &'static str {
        "application/x-ndjson"
    }

    fn reader(&self, max_event_bytes: usize) -> NdjsonReader {
        NdjsonReader { limit: max_event_bytes, line: Vec::new() }
    }

    fn write(&self, _seq: Option<u64>, event: &Event, frames: &mut Vec<u8>) {
        frames.extend_from_slice(&event.data);
        frames.push(b'\n');
    }

    fn failure(&self, code: &str, message: &str) -> Event {
        let error = format!("{{\"code\":{},\"message\":{}}}", json::string(code), json::string(message));
        Event::new("", format!("{{\"error\":{error}}}"))
    }
}

/// The reader of [`Ndjson`].
#[derive(Debug)]
pub struct NdjsonReader {
    limit: usize,
    /// The beginning of an incomplete line.
    line: Vec<u8>,
}

impl NdjsonReader {
    fn take_line(&mut self, events: &mut Vec<Event>) {
        let mut line = std::mem::take(&mut self.line).trim_ascii().to_vec();
        // A carriage return is blank space between tokens and allowed nowhere else; the log would divide the line there.
        line.iter_mut().filter(|byte| **byte == b'\r').for_each(|byte| *byte = b' ');
        if !line.is_empty() {
            events.push(Event::new("", line));
        }
    }
}

impl ReadEvents for NdjsonReader {
    fn push(&mut self, mut bytes: &[u8], events: &mut Vec<Event>) -> Result<(), EventTooLarge> {
        loop {
            let end = memchr::memchr(b'\n', bytes);
            let part = &bytes[..end.unwrap_or(bytes.len())];
            if self.line.len() + part.len() > self.limit {
                return Err(EventTooLarge { limit: self.limit });
            }
            self.line.extend_from_slice(part);
            let Some(end) = end else { return Ok(()) };
            self.take_line(events);
            bytes = &bytes[end + 1..];
        }
    }

    fn end(&mut self, events: &mut Vec<Event>) {
        self.take_line(events);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_however_the_body_is_cut() {
        let body = b"{\"a\":1}\r\n\n  \n{\"b\":\r2}\n[3]";
        for size in 1..=body.len() {
            let (mut reader, mut events) = (Ndjson.reader(20), Vec::new());
            body.chunks(size).for_each(|part| reader.push(part, &mut events).unwrap());
            reader.end(&mut events);
            let lines: Vec<_> = events.iter().map(|event| &event.data[..]).collect();
            assert_eq!(lines, [&b"{\"a\":1}"[..], b"{\"b\": 2}", b"[3]"], "in parts of {size}");
        }
    }

    #[test]
    fn a_line_may_be_as_long_as_the_limit() {
        let (mut reader, mut events) = (Ndjson.reader(3), Vec::new());
        reader.push(b"123\n12", &mut events).unwrap();
        assert_eq!(reader.push(b"34\n", &mut events), Err(EventTooLarge { limit: 3 }));
        assert_eq!(events.len(), 1);
    }
}
