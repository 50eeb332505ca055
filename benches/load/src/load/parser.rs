//! Parses and checks an event stream in a chunked HTTP/1.1 response.

use memchr::{memchr, memmem};

/// Maximum number of bytes of a line that are examined.
const HEAD: usize = 160;

/// The events of one stream so far.
#[derive(Debug, Default)]
pub struct Parser {
    /// The newest id.
    pub last: u64,
    /// Number of events with an id.
    pub events: u64,
    /// Number of bytes of events, including comments and frames without an id.
    pub bytes: u64,
    /// The error in the stream, if there is one.
    pub fault: Option<String>,
    /// The creation times of the events of the last [`Parser::feed`].
    pub stamps: Vec<u64>,
    state: State,
    line: Vec<u8>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Head,
    ChunkSize,
    Chunk(usize),
    /// The line end after a chunk.
    ChunkEnd(usize),
    Over,
}

impl Parser {
    /// Creates a parser whose next event must have the id after this one.
    pub fn after(last: u64) -> Self {
        Self { last, ..Self::default() }
    }

    pub fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match self.state {
                State::Head => {
                    let Some(line) = self.take_line(&mut bytes) else { return };
                    if line.is_empty() {
                        self.state = State::ChunkSize;
                    } else if line.starts_with(b"HTTP/1.1 ") && !line.starts_with(b"HTTP/1.1 200") {
                        self.fault = Some(String::from_utf8_lossy(&line).into_owned());
                    }
                }
                State::ChunkSize => {
                    let Some(line) = self.take_line(&mut bytes) else { return };
                    let size =
                        std::str::from_utf8(&line).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
                    self.state = match size {
                        None => {
                            self.fault = Some("not a chunk".to_owned());
                            State::Over
                        }
                        Some(0) => State::Over,
                        Some(size) => State::Chunk(size),
                    };
                }
                State::Chunk(left) => {
                    let (now, later) = bytes.split_at(left.min(bytes.len()));
                    bytes = later;
                    self.bytes += now.len() as u64;
                    self.content(now);
                    self.state =
                        if left == now.len() { State::ChunkEnd(2) } else { State::Chunk(left - now.len()) };
                }
                State::ChunkEnd(left) => {
                    let skipped = left.min(bytes.len());
                    bytes = &bytes[skipped..];
                    self.state =
                        if left == skipped { State::ChunkSize } else { State::ChunkEnd(left - skipped) };
                }
                State::Over => return,
            }
        }
    }

    /// A line of HTTP, without its end.
    fn take_line(&mut self, bytes: &mut &[u8]) -> Option<Vec<u8>> {
        let Some(end) = memchr(b'\n', bytes) else {
            self.line.extend_from_slice(bytes);
            *bytes = &[];
            return None;
        };
        let mut line = std::mem::take(&mut self.line);
        line.extend_from_slice(&bytes[..end]);
        *bytes = &bytes[end + 1..];
        line.pop_if(|byte| *byte == b'\r');
        Some(line)
    }

    fn content(&mut self, mut bytes: &[u8]) {
        while let Some(end) = memchr(b'\n', bytes) {
            if self.line.is_empty() {
                self.event_line(&bytes[..end]);
            } else {
                self.keep(&bytes[..end]);
                let line = std::mem::take(&mut self.line);
                self.event_line(&line);
            }
            bytes = &bytes[end + 1..];
        }
        self.keep(bytes);
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = HEAD.saturating_sub(self.line.len());
        self.line.extend_from_slice(&bytes[..room.min(bytes.len())]);
    }

    fn event_line(&mut self, line: &[u8]) {
        if let Some(id) = line.strip_prefix(b"id: ").or_else(|| line.strip_prefix(b"id:")) {
            let id = id.iter().fold(0, |id, digit| id * 10 + u64::from(digit.wrapping_sub(b'0')));
            if id != self.last + 1 && self.fault.is_none() {
                self.fault = Some(format!("{id} came after {}", self.last));
            }
            self.last = id;
            self.events += 1;
        } else if line.starts_with(b"data:") {
            let head = &line[..line.len().min(HEAD)];
            if let Some(at) = memmem::find(head, b"\"t=") {
                let digits = head[at + 3..].iter().take_while(|byte| byte.is_ascii_digit());
                self.stamps.push(digits.fold(0, |time, digit| time * 10 + u64::from(digit - b'0')));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str =
        "HTTP/1.1 200 OK\r\na: b\r\n\r\n13\r\nid: 1\ndata: \"t=77\n\n\r\n8\r\nid: 2\n\n\n\r\n0\r\n\r\n";

    #[test]
    fn however_it_is_cut_the_events_are_the_same() {
        for step in 1..ANSWER.len() {
            let (mut parser, mut stamps) = (Parser::default(), Vec::new());
            for piece in ANSWER.as_bytes().chunks(step) {
                parser.feed(piece);
                stamps.append(&mut parser.stamps);
            }
            assert_eq!((parser.last, parser.events, parser.fault.take()), (2, 2, None), "{step}");
            assert!(matches!(parser.state, State::Over));
            assert_eq!(stamps, [77]);
        }
    }

    #[test]
    fn a_gap_and_a_repeat_are_faults() {
        for second in ["3", "1"] {
            let mut parser = Parser::default();
            parser.feed(ANSWER.replace("id: 2", &format!("id: {second}")).as_bytes());
            assert!(parser.fault.is_some(), "{second}");
        }
    }
}
