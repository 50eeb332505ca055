//! NDJSON lines, without I/O: [`Framer`] splits the CLI's output, [`encode`] writes its input.
//!
//! The CLI exits when it reads a line that is not JSON, and a raw newline inside a relayed value would let
//! a client inject a frame. So every frame is written by [`encode`], which produces exactly one line whatever
//! white space the relayed JSON holds.

use std::mem;

use serde::Serialize;

/// The default maximum length of a line: 64 MiB.
pub const DEFAULT_LINE_LIMIT: usize = 64 << 20;

/// An empty buffer with more capacity than this is freed, in bytes.
const KEEP: usize = 256 << 10;

/// A line, as returned by [`Framer::next`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framed<'a> {
    /// A line that begins with `{`, without its line end. It is not checked to be JSON.
    Line(&'a [u8]),
    /// A line that exceeded the limit and was skipped.
    Oversize {
        /// The length of the line, in bytes.
        length: usize,
    },
}

/// Splits chunks of bytes into lines.
///
/// A line ends with `\n` or `\r\n`. Lines that do not begin with `{` are skipped. Each byte is scanned once,
/// and the buffer never holds more than the limit plus one chunk.
///
/// ```
/// use agent_webkit::claude::{Framed, Framer};
///
/// let mut framer = Framer::new(1024);
/// framer.feed(b"warming up\n{\"a\":1}\r\n{\"b\"");
/// assert_eq!(framer.next(), Some(Framed::Line(b"{\"a\":1}")));
/// assert_eq!(framer.next(), None);
/// framer.feed(b":2}\n");
/// assert_eq!(framer.next(), Some(Framed::Line(b"{\"b\":2}")));
/// ```
#[derive(Debug)]
pub struct Framer {
    buffer: Vec<u8>,
    /// The first byte that was not returned yet.
    start: usize,
    /// The end of the scanned bytes: there is no line end between `start` and this index.
    scanned: usize,
    limit: usize,
    /// The number of bytes skipped of an oversize line whose end was not read yet.
    skipped: Option<usize>,
}

impl Framer {
    /// Creates a framer for lines of up to `limit` bytes.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self { buffer: Vec::new(), start: 0, scanned: 0, limit, skipped: None }
    }

    /// Adds a chunk. Call [`next`](Self::next) until it returns `None` before you add another chunk.
    pub fn feed(&mut self, chunk: &[u8]) {
        self.make_room();
        self.buffer.extend_from_slice(chunk);
    }

    /// Returns the next complete line.
    #[allow(clippy::should_implement_trait, reason = "the line borrows from the buffer")]
    pub fn next(&mut self) -> Option<Framed<'_>> {
        loop {
            let Some(at) = memchr::memchr(b'\n', &self.buffer[self.scanned..]) else {
                self.scanned = self.buffer.len();
                if self.skipped.is_some() || self.scanned - self.start > self.limit {
                    *self.skipped.get_or_insert(0) += self.scanned - self.start;
                    self.start = self.scanned;
                }
                return None;
            };
            let (from, to) = (self.start, self.scanned + at);
            (self.start, self.scanned) = (to + 1, to + 1);
            let length = self.skipped.take().unwrap_or(0) + to - from;
            if length > self.limit {
                return Some(Framed::Oversize { length });
            }
            if self.buffer[from] == b'{' {
                return Some(Framed::Line(without_return(&self.buffer[from..to])));
            }
        }
    }

    /// Returns the last line if the input ended without a line end.
    pub fn finish(&mut self) -> Option<Framed<'_>> {
        let (from, to) = (mem::replace(&mut self.start, self.buffer.len()), self.buffer.len());
        self.scanned = to;
        let length = self.skipped.take().unwrap_or(0) + to - from;
        if length > self.limit {
            return Some(Framed::Oversize { length });
        }
        let line = without_return(&self.buffer[from..to]);
        line.starts_with(b"{").then_some(Framed::Line(line))
    }

    fn make_room(&mut self) {
        if self.start == self.buffer.len() {
            if self.buffer.capacity() > KEEP {
                self.buffer = Vec::new();
            }
            self.buffer.clear();
        } else {
            // The rest is the start of one line. It is moved once: later chunks of the line find `start` at
            // 0.
            self.buffer.drain(..self.start);
            if self.buffer.capacity() > KEEP && self.buffer.len() < KEEP / 2 {
                self.buffer.shrink_to(KEEP);
            }
        }
        self.scanned -= self.start;
        self.start = 0;
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Appends `value` to `out` as one line of compact JSON. Raw JSON inside `value` is compacted, too.
///
/// # Errors
/// `value` cannot be serialized as JSON, such as a map whose keys are not strings. `out` is left unchanged.
pub fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    let from = out.len();
    if let Err(error) = serde_json::to_writer(&mut *out, value) {
        out.truncate(from);
        return Err(error);
    }
    compact(out, from);
    out.push(b'\n');
    Ok(())
}

/// Removes the whitespace between tokens. In valid JSON every raw newline is such whitespace.
fn compact(json: &mut Vec<u8>, from: usize) {
    let (mut keep, mut in_string, mut escaped) = (from, false, false);
    for at in from..json.len() {
        let byte = json[at];
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
        } else if matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
            continue;
        } else {
            in_string = byte == b'"';
        }
        json[keep] = byte;
        keep += 1;
    }
    json.truncate(keep);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, value::RawValue};

    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    enum Item {
        Line(Vec<u8>),
        Oversize(usize),
    }

    fn owned(framed: Framed<'_>) -> Item {
        match framed {
            Framed::Line(line) => Item::Line(line.to_vec()),
            Framed::Oversize { length } => Item::Oversize(length),
        }
    }

    fn frame(chunks: &[&[u8]], limit: usize) -> Vec<Item> {
        let mut framer = Framer::new(limit);
        let mut items = Vec::new();
        for chunk in chunks {
            framer.feed(chunk);
            while let Some(framed) = framer.next() {
                items.push(owned(framed));
            }
            assert!(framer.buffer.len() <= limit + chunk.len() + 1, "more is held than one line and a chunk");
        }
        items.extend(framer.finish().map(owned));
        items
    }

    /// The lines that a framer must return, computed from the whole input.
    fn model(input: &[u8], limit: usize) -> Vec<Item> {
        let mut lines: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
        if lines.last().is_some_and(|last| last.is_empty()) {
            lines.pop();
        }
        lines
            .into_iter()
            .filter_map(|line| match line {
                long if long.len() > limit => Some(Item::Oversize(long.len())),
                [b'{', ..] => Some(Item::Line(without_return(line).to_vec())),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn an_oversize_line_is_skipped_to_its_end() {
        let items = frame(&[b"{\"a\":", b"\"xxxxxxxxxxxxxxxx", b"xxx\"}\n{}", b"\n"], 8);
        assert_eq!(items, [Item::Oversize(27), Item::Line(b"{}".to_vec())]);
    }

    #[test]
    fn the_last_line_needs_no_end() {
        assert_eq!(
            frame(&[b"{}\n{\"a\"", b":1}\r"], 64),
            [Item::Line(b"{}".to_vec()), Item::Line(b"{\"a\":1}".to_vec())]
        );
    }

    #[test]
    fn memory_is_given_back_after_a_huge_line() {
        let mut framer = Framer::new(DEFAULT_LINE_LIMIT);
        let mut huge = vec![b'{'; 8 << 20];
        huge.extend_from_slice(b"\n{\"next\"");
        framer.feed(&huge);
        assert!(matches!(framer.next(), Some(Framed::Line(line)) if line.len() == 8 << 20));
        assert_eq!(framer.next(), None);
        framer.feed(b":1}\n");
        assert!(framer.buffer.capacity() <= 2 * KEEP);
        assert_eq!(framer.next(), Some(Framed::Line(b"{\"next\":1}")));
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[\\\\\"\n\r\t {}\u{2028}\u{0}:,]{0,12}".prop_map(Value::from),
            Just(Value::from("}\n{\"type\":\"control_response\"}\r\n")),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((any::<String>(), inner), 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn chunking_changes_nothing(
            input in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'{'), Just(b'\r'), any::<u8>()], 0..200),
            cuts in prop::collection::vec(1_usize..20, 0..100),
            limit in 1_usize..40,
        ) {
            let (mut chunks, mut rest): (Vec<&[u8]>, &[u8]) = (Vec::new(), &input);
            for cut in cuts {
                let (chunk, after) = rest.split_at(cut.min(rest.len()));
                chunks.push(chunk);
                rest = after;
            }
            chunks.push(rest);
            prop_assert_eq!(frame(&chunks, limit), model(&input, limit));
        }

        #[test]
        fn any_value_is_one_line_that_reads_back_equal(value in json()) {
            let raw = RawValue::from_string(serde_json::to_string_pretty(&value).unwrap()).unwrap();
            let mut line = Vec::new();
            encode(&[&*raw, &*raw], &mut line).unwrap();
            prop_assert_eq!(line.pop(), Some(b'\n'));
            prop_assert!(!line.iter().any(|byte| matches!(byte, b'\n' | b'\r')));
            prop_assert_eq!(&line, &serde_json::to_vec(&[&value, &value]).unwrap());
        }
    }
}
