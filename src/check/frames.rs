//! An event stream as a check reads it.

use std::{collections::VecDeque, time::Duration};

use agent_webkit_layers::resume::{EventParser, ParsedEvent, ParsedItem};
use http_body_util::BodyExt;
use serde_json::Value;

use super::report::{Verdict, failed};
use crate::client::ResponseBody;

/// Length up to which an event is read, in bytes.
const MAX_EVENT: usize = 64 << 20;

/// An open stream.
pub(super) struct Frames {
    body: ResponseBody,
    parser: EventParser,
    items: VecDeque<ParsedItem>,
    /// How many bytes may still be read, for a check that cuts.
    left: usize,
}

impl Frames {
    pub(super) fn new(body: ResponseBody) -> Self {
        Self { body, parser: EventParser::new(MAX_EVENT), items: VecDeque::new(), left: usize::MAX }
    }

    /// Reads no more than this many bytes, as if the network was cut there.
    pub(super) fn cut_after(mut self, bytes: usize) -> Self {
        self.left = bytes;
        self
    }

    /// The next event, comment or `retry:`; `None` at the end.
    pub(super) async fn item(&mut self) -> Verdict<Option<ParsedItem>> {
        loop {
            if let Some(item) = self.items.pop_front() {
                return Ok(Some(item));
            }
            let bytes = match self.body.frame().await {
                None => return Ok(None),
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
                Some(Err(error)) => return failed(format!("the stream breaks off: {error}")),
            };
            if self.left == 0 {
                return Ok(None);
            }
            let bytes = &bytes[..bytes.len().min(self.left)];
            self.left -= bytes.len();
            let mut items = Vec::new();
            if let Err(error) = self.parser.push_items(bytes, &mut items) {
                return failed(error.to_string());
            }
            self.items.extend(items);
        }
    }

    /// The next event; `None` at the end.
    pub(super) async fn event(&mut self) -> Verdict<Option<ParsedEvent>> {
        loop {
            match self.item().await? {
                Some(ParsedItem::Event(event)) => return Ok(Some(event)),
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }

    /// The next events with an id: until there are `most` of them, the stream ends, or it is silent for `quiet`. Says also
    /// whether it has ended.
    pub(super) async fn numbered(
        &mut self,
        most: usize,
        quiet: Duration,
    ) -> Verdict<(Vec<ParsedEvent>, bool)> {
        let mut events = Vec::new();
        while events.len() < most {
            match tokio::time::timeout(quiet, self.event()).await {
                Err(_) => return Ok((events, false)),
                Ok(event) => match event? {
                    Some(event) if event.id.is_some() => events.push(event),
                    Some(_) => {}
                    None => return Ok((events, true)),
                },
            }
        }
        Ok((events, false))
    }

    /// Two comments come, each within this time after what came before it.
    pub(super) async fn comments(&mut self, time: Duration) -> Verdict {
        let mut seen = 0;
        while seen < 2 {
            match tokio::time::timeout(time, self.item()).await {
                Err(_) => return failed(format!("comment {} did not come within {time:?}", seen + 1)),
                Ok(item) => match item? {
                    Some(ParsedItem::Comment(_)) => seen += 1,
                    Some(_) => {}
                    None => return failed("the stream ended in its silence"),
                },
            }
        }
        Ok(())
    }

    /// The events up to and with the first that has one of these names.
    pub(super) async fn until(&mut self, names: &[&str]) -> Verdict<Vec<ParsedEvent>> {
        let mut events = Vec::new();
        while let Some(event) = self.event().await? {
            let last = names.contains(&event.name.as_str());
            events.push(event);
            if last {
                return Ok(events);
            }
        }
        failed(format!("the stream ended before {}", names.join(" or ")))
    }
}

/// The data of an event, which is JSON.
pub(super) fn data(event: &ParsedEvent) -> Verdict<Value> {
    serde_json::from_slice(&event.data)
        .or_else(|error| failed(format!("the data of {} is not JSON: {error}", event.name)))
}

/// The events with this name.
pub(super) fn named<'a>(events: &'a [ParsedEvent], name: &str) -> impl Iterator<Item = &'a ParsedEvent> {
    events.iter().filter(move |event| event.name == name)
}
