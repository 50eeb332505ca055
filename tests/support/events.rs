//! A reader of a session's stream that keeps all events.

use std::{fmt::Write as _, ops::Index, time::Duration};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;

/// Maximum time that a test waits for something. Only a failing test uses all of it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Frame {
    pub(crate) id: Option<u64>,
    pub(crate) event: String,
    pub(crate) data: Value,
    /// The frame as received, with the empty line at its end.
    pub(crate) raw: Bytes,
}

/// A reader of a stream.
#[derive(Debug)]
pub(crate) struct Events {
    body: Incoming,
    unread: BytesMut,
    /// Length of the part of `unread` that contains no end of a frame.
    scanned: usize,
    /// The events so far.
    pub(crate) seen: Vec<Frame>,
    /// The comments so far.
    pub(crate) comments: Vec<String>,
}

/// The lines between two empty lines.
enum Item {
    Frame(Frame),
    Comment(String),
}

impl Events {
    pub(crate) fn new(body: Incoming) -> Self {
        Self { body, unread: BytesMut::new(), scanned: 0, seen: Vec::new(), comments: Vec::new() }
    }

    /// Reads the next event; `None` if the body has ended.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        let event = async {
            loop {
                match self.item().await? {
                    Item::Frame(frame) => return Some(frame),
                    Item::Comment(_) => {}
                }
            }
        };
        let event = tokio::time::timeout(PATIENCE, event).await;
        event.unwrap_or_else(|_| panic!("only comments came for {PATIENCE:?}.\n{}", self.story()))
    }

    /// Reads the next event; `None` if the body has ended or the connection broke.
    pub(crate) async fn try_next(&mut self) -> Option<Frame> {
        loop {
            if let Some(item) = self.take_item() {
                match item {
                    Item::Frame(frame) => return Some(frame),
                    Item::Comment(_) => continue,
                }
            }
            let frame = self.body.frame().await?.ok()?;
            self.unread.extend_from_slice(&frame.into_data().unwrap_or_default());
        }
    }

    /// Reads the next comment. Events before it are kept in [`Events::seen`].
    pub(crate) async fn comment(&mut self) -> String {
        loop {
            match self.item().await {
                Some(Item::Comment(comment)) => return comment,
                Some(Item::Frame(_)) => {}
                None => panic!("the stream ended without a comment.\n{}", self.story()),
            }
        }
    }

    /// Reads up to the next event of this name.
    pub(crate) async fn until(&mut self, event: &str) -> Frame {
        self.until_where(event, |frame| frame.event == event).await
    }

    /// Reads up to the next event for which `wanted` holds; `what` names it in a failure.
    pub(crate) async fn until_where(&mut self, what: &str, wanted: impl Fn(&Frame) -> bool) -> Frame {
        loop {
            match self.next().await {
                Some(frame) if wanted(&frame) => return frame,
                Some(_) => {}
                None => panic!("the stream ended without {what}.\n{}", self.story()),
            }
        }
    }

    /// Reads to the end of the body and returns all events.
    pub(crate) async fn rest(&mut self) -> &[Frame] {
        while self.next().await.is_some() {}
        &self.seen
    }

    /// The number of the newest event.
    pub(crate) fn last_id(&self) -> u64 {
        self.seen.iter().rev().find_map(|frame| frame.id).expect("an event with a number")
    }

    /// All events of this name so far.
    pub(crate) fn all<'a>(&'a self, event: &'a str) -> impl Iterator<Item = &'a Frame> {
        self.seen.iter().filter(move |frame| frame.event == event)
    }

    /// The bytes of all numbered events so far.
    pub(crate) fn numbered_bytes(&self) -> Vec<u8> {
        self.seen.iter().filter(|frame| frame.id.is_some()).flat_map(|frame| frame.raw.clone()).collect()
    }

    /// Takes the next complete item out of the received bytes.
    fn take_item(&mut self) -> Option<Item> {
        let Some(end) = self.unread[self.scanned..].windows(2).position(|two| two == b"\n\n") else {
            self.scanned = self.unread.len().saturating_sub(1);
            return None;
        };
        let raw = self.unread.split_to(self.scanned + end + 2).freeze();
        self.scanned = 0;
        let item = parse(&raw);
        match &item {
            Item::Frame(frame) => self.seen.push(frame.clone()),
            Item::Comment(comment) => self.comments.push(comment.clone()),
        }
        Some(item)
    }

    async fn item(&mut self) -> Option<Item> {
        loop {
            if let Some(item) = self.take_item() {
                return Some(item);
            }
            let Ok(read) = tokio::time::timeout(PATIENCE, self.body.frame()).await else {
                panic!("nothing came for {PATIENCE:?}.\n{}", self.story());
            };
            match read {
                Some(Ok(frame)) => self.unread.extend_from_slice(&frame.into_data().unwrap_or_default()),
                Some(Err(error)) => panic!("the stream broke: {error}.\n{}", self.story()),
                None => {
                    assert!(self.unread.is_empty(), "the stream ended inside of {:?}", self.unread);
                    return None;
                }
            }
        }
    }

    /// All events so far, for the message of a failure.
    fn story(&self) -> String {
        let mut story = String::from("Seen so far:\n");
        for frame in &self.seen {
            let data: String = frame.data.to_string().chars().take(300).collect();
            let id = frame.id.map_or_else(|| "-".to_owned(), |id| id.to_string());
            let _ = writeln!(story, "  {id} {} {data}", frame.event);
        }
        story
    }
}

impl Frame {
    /// Returns this member of the data, which must be a string.
    pub(crate) fn str(&self, member: &str) -> &str {
        self.data[member].as_str().unwrap_or_else(|| panic!("no {member} in {self:?}"))
    }
}

impl Index<&str> for Frame {
    type Output = Value;

    fn index(&self, member: &str) -> &Value {
        &self.data[member]
    }
}

fn parse(raw: &Bytes) -> Item {
    let text = str::from_utf8(raw).expect("a frame in UTF-8").trim_end_matches('\n');
    if let Some(comment) = text.strip_prefix(':') {
        return Item::Comment(comment.trim().to_owned());
    }
    let (mut id, mut event, mut data) = (None, None, None);
    for line in text.split('\n') {
        let (field, value) =
            line.split_once(": ").unwrap_or_else(|| panic!("not a field: {line:?} in {text:?}"));
        let slot = match field {
            "id" => &mut id,
            "event" => &mut event,
            "data" => &mut data,
            _ => panic!("not a field of ours: {field:?} in {text:?}"),
        };
        assert!(slot.replace(value).is_none(), "{field} twice in {text:?}");
    }
    let data = data.unwrap_or_else(|| panic!("no data in {text:?}"));
    Item::Frame(Frame {
        id: id.map(|id| id.parse().unwrap_or_else(|_| panic!("{id:?} is not a number"))),
        event: event.expect("a name").to_owned(),
        data: serde_json::from_str(data).unwrap_or_else(|error| panic!("{error} in {data:?}")),
        raw: raw.clone(),
    })
}
