use std::{borrow::Cow, time::Duration};

use bytes::Bytes;

use super::{Framing, ReadEvents};
use crate::resume::{
    Event, EventParser, EventTooLarge, ParsedItem, encode_frame_into, follow::COMMENT, frame::error_data,
};

/// Size of the comments and `retry:` fields that are kept until the next event, in bytes.
const KEPT_FIELDS: usize = 4 << 10;

/// Streams of server-sent events: `text/event-stream`. The default.
///
/// By default the events have their sequence numbers as ids, and the upstream's own ids, comments and `retry:` fields are
/// dropped. If some of these are kept, they are in the event log as well: do not change these settings over a log that
/// has streams.
///
/// ```
/// use std::time::Duration;
///
/// use agent_webkit_layers::resume::{RecordLayer, RingLog, Sse, StreamIds};
///
/// # fn layer(next_uuid: fn() -> String) -> RecordLayer<RingLog, StreamIds> {
/// let framing = Sse::new().upstream_ids().comments().retry(Duration::from_millis(500));
/// RecordLayer::new(RingLog::default(), StreamIds::new(next_uuid)).framing(framing)
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Sse {
    upstream_ids: bool,
    comments: bool,
    retry: Retry,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Retry {
    #[default]
    Dropped,
    Upstream,
    Own(Duration),
}

impl Sse {
    /// The default framing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps the upstream's ids, whatever they are, and lets clients resume by them. An event without an id of its own
    /// gets `~` with its sequence number, because a client that has seen it could not say so otherwise. If an id comes
    /// twice, its last event counts. A request that names an id reads the recorded stream to find it.
    #[must_use]
    pub fn upstream_ids(self) -> Self {
        Self { upstream_ids: true, ..self }
    }

    /// Passes the upstream's comments on, each before the event that follows it: at most 256 bytes of each, and 4 KiB
    /// between two events. Those after the last event are dropped.
    #[must_use]
    pub fn comments(self) -> Self {
        Self { comments: true, ..self }
    }

    /// Passes the upstream's `retry:` fields on, each before the event that follows it.
    #[must_use]
    pub fn upstream_retry(self) -> Self {
        Self { retry: Retry::Upstream, ..self }
    }

    /// Starts every response with `retry:`, the time after which a client reconnects.
    #[must_use]
    pub fn retry(self, time: Duration) -> Self {
        Self { retry: Retry::Own(time), ..self }
    }
}

impl Framing for Sse {
    type Reader = SseReader;

    fn accepts(&self, media_type: &str) -> bool {
        media_type == self.media_type()
    }

    fn media_type(&self) -> &'static str {
        "text/event-stream"
    }

    fn reader(&self, max_event_bytes: usize) -> SseReader {
        let parser = EventParser::new(max_event_bytes);
        SseReader { framing: self.clone(), parser, items: Vec::new(), fields: Vec::new() }
    }

    fn write(&self, seq: Option<u64>, event: &Event, frames: &mut Vec<u8>) {
        if self.is_that_of_the_log() {
            return encode_frame_into(frames, seq, &event.name, &event.data);
        }
        let (fields, data) = divide(&event.data);
        frames.extend_from_slice(fields);
        if let Some(seq) = seq.filter(|_| id_in(fields).is_none()) {
            let mark = if self.upstream_ids { "~" } else { "" };
            frames.extend_from_slice(format!("id: {mark}{seq}\n").as_bytes());
        }
        if !event.name.is_empty() {
            frames.extend_from_slice(format!("event: {}\n", event.name).as_bytes());
        }
        frames.extend_from_slice(data);
        frames.extend_from_slice(if data.is_empty() { b"\n" } else { b"\n\n" });
    }

    fn failure(&self, code: &str, message: &str) -> Event {
        let data = error_data(code, message);
        match self.is_that_of_the_log() {
            true => Event::new("error", data),
            false => Event::new("error", [b"data: ", &data[..]].concat()),
        }
    }

    fn keepalive(&self) -> Option<Bytes> {
        Some(COMMENT)
    }

    fn preamble(&self) -> Option<Bytes> {
        match self.retry {
            Retry::Own(time) => Some(format!("retry: {}\n\n", time.as_millis()).into()),
            Retry::Dropped | Retry::Upstream => None,
        }
    }

    fn has_own_ids(&self) -> bool {
        self.upstream_ids
    }

    fn id<'a>(&self, seq: u64, event: &'a Event) -> Option<Cow<'a, str>> {
        let own = id_in(divide(&event.data).0).map(String::from_utf8_lossy);
        Some(own.unwrap_or_else(|| format!("~{seq}").into())).filter(|_| self.upstream_ids)
    }

    fn is_that_of_the_log(&self) -> bool {
        !self.upstream_ids && !self.comments && self.retry != Retry::Upstream
    }
}

/// Divides the data of a kept event, which has comments and fields as in a frame, each line with its end, and then the
/// lines with `data:`.
fn divide(kept: &[u8]) -> (&[u8], &[u8]) {
    let mut at = 0;
    while at < kept.len() && !kept[at..].starts_with(b"data: ") {
        at += memchr::memchr(b'\n', &kept[at..]).map_or(kept.len() - at, |end| end + 1);
    }
    kept.split_at(at)
}

fn id_in(fields: &[u8]) -> Option<&[u8]> {
    fields.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"id: "))
}

/// The reader of [`Sse`].
#[derive(Debug)]
pub struct SseReader {
    framing: Sse,
    parser: EventParser,
    items: Vec<ParsedItem>,
    /// The kept comments and fields that belong to the next event.
    fields: Vec<u8>,
}

impl SseReader {
    fn keep(&mut self, line: &str) {
        if self.fields.len() + line.len() < KEPT_FIELDS {
            self.fields.extend_from_slice(line.as_bytes());
            self.fields.push(b'\n');
        }
    }

    /// The fields for an event with this id.
    fn fields(&mut self, id: Option<&str>) -> Vec<u8> {
        let mut fields = std::mem::take(&mut self.fields);
        // An empty id says that there is none any more.
        if let Some(id) = id.filter(|id| self.framing.upstream_ids && !id.is_empty()) {
            fields.extend_from_slice(format!("id: {id}\n").as_bytes());
        }
        fields
    }

    fn take(&mut self, item: ParsedItem) -> Option<Event> {
        match item {
            ParsedItem::Event(event) => {
                let mut data = self.fields(event.id.as_deref());
                for line in event.data.split(|&byte| byte == b'\n') {
                    data.extend_from_slice(b"data: ");
                    data.extend_from_slice(line);
                    data.push(b'\n');
                }
                // The log keeps lines, and not the end of the last one.
                data.pop();
                return Some(Event::new(event.name, data));
            }
            // A client comes back with this id, though it has seen no event.
            ParsedItem::Id(id) if self.framing.upstream_ids && !id.is_empty() => {
                return Some(Event::new("", self.fields(Some(&id))));
            }
            ParsedItem::Comment(text) if self.framing.comments => self.keep(&format!(": {text}")),
            ParsedItem::Retry(time) if self.framing.retry == Retry::Upstream => {
                self.keep(&format!("retry: {}", time.as_millis()));
            }
            ParsedItem::Id(_) | ParsedItem::Comment(_) | ParsedItem::Retry(_) => {}
        }
        None
    }
}

impl ReadEvents for SseReader {
    fn push(&mut self, bytes: &[u8], events: &mut Vec<Event>) -> Result<(), EventTooLarge> {
        if self.framing.is_that_of_the_log() {
            let mut parsed = Vec::new();
            let pushed = self.parser.push(bytes, &mut parsed);
            events.extend(parsed.into_iter().map(|event| Event::new(event.name, event.data)));
            return pushed;
        }
        let mut items = std::mem::take(&mut self.items);
        let pushed = self.parser.push_items(bytes, &mut items);
        events.extend(items.drain(..).filter_map(|item| self.take(item)));
        self.items = items;
        pushed
    }
}
