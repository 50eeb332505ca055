//! A client that reconnects to a session's stream whenever the server goes away.

use std::{
    collections::BTreeMap,
    ops::RangeInclusive,
    time::{Duration, Instant},
};

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Client, Events, Frame, PATIENCE, Script};

/// A reader of a session over many connections, with all events that it has received, each once, in order.
pub(crate) struct Reader {
    pub(crate) client: Client,
    pub(crate) id: String,
    /// The numbered events.
    pub(crate) shown: Vec<Frame>,
    /// Number of successful connections.
    pub(crate) connections: usize,
    events: Option<Events>,
}

impl Reader {
    pub(crate) async fn create(client: Client) -> Self {
        let id = client.created(&json!({})).await;
        Self::of(client, &id)
    }

    /// Reads an existing session.
    pub(crate) fn of(client: Client, id: &str) -> Self {
        Self { client, id: id.to_owned(), shown: Vec::new(), connections: 0, events: None }
    }

    pub(crate) fn last_id(&self) -> u64 {
        self.shown.last().map_or(0, |frame| frame.id.expect("numbered"))
    }

    /// Returns the next event, over as many connections as it takes. Panics if its number is not the next
    /// one.
    pub(crate) async fn next(&mut self) -> Frame {
        self.next_within(PATIENCE).await
    }

    /// The same, for an event that may take longer.
    pub(crate) async fn next_within(&mut self, time: Duration) -> Frame {
        let next = tokio::time::timeout(time, self.next_of_any_connection()).await;
        next.unwrap_or_else(|_| panic!("nothing came after {:?}", self.shown.last()))
    }

    async fn next_of_any_connection(&mut self) -> Frame {
        loop {
            let Some(events) = &mut self.events else {
                self.attach().await;
                continue;
            };
            match events.try_next().await {
                Some(frame) if frame.id.is_none() => assert_ne!(frame.event, "error", "{frame:?}"),
                Some(frame) => {
                    assert_eq!(frame.id, Some(self.last_id() + 1), "a gap or a double: {frame:?}");
                    self.shown.push(frame.clone());
                    return frame;
                }
                None => self.events = None,
            }
        }
    }

    /// Reads up to the next event of this name.
    pub(crate) async fn until(&mut self, event: &str) -> Frame {
        loop {
            let frame = self.next().await;
            if frame.event == event {
                return frame;
            }
        }
    }

    /// Continues at another host.
    pub(crate) fn move_to(&mut self, client: Client) {
        (self.client, self.events) = (client, None);
    }

    /// Returns the `result` of the newest message's turn, which may have been received already.
    pub(crate) async fn last_result_or_until_it(&mut self) -> Frame {
        let after = self.shown.iter().rposition(|frame| frame.event == "user_message").expect("a message");
        match self.shown[after..].iter().find(|frame| frame.event == "result") {
            Some(result) => result.clone(),
            None => self.until("result").await,
        }
    }

    /// Reconnects after the last event, as soon as a server accepts it.
    async fn attach(&mut self) {
        let path = format!("/sessions/{}/stream", self.id);
        let last = self.last_id().to_string();
        let answer = self.client.try_send(Method::GET, &path, &[("last-event-id", &last)], "").await;
        match answer {
            Some(answer) if answer.status() == StatusCode::OK => {
                self.events = Some(Events::new(answer.into_body()));
                self.connections += 1;
            }
            Some(answer) => {
                let status = answer.status();
                assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "the stream cannot be resumed");
                assert!(answer.headers().contains_key("retry-after"));
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            None => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }

    /// Posts a message until a server accepts it. The key ensures that it is handled once.
    pub(crate) async fn say(&mut self, key: &str, content: impl Into<Value>) {
        let body = json!({"type": "user_message", "content": content.into()}).to_string();
        let path = format!("/sessions/{}/input", self.id);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer =
                self.client.try_send(Method::POST, &path, &[("idempotency-key", key)], body.clone()).await;
            match answer.map(|answer| answer.status()) {
                Some(StatusCode::NO_CONTENT) => return,
                None | Some(StatusCode::SERVICE_UNAVAILABLE) => {
                    assert!(Instant::now() < deadline, "no server takes the message");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Some(status) => panic!("the message gave {status}"),
            }
        }
    }

    /// Asks the model for the texts of all messages so far.
    pub(crate) async fn history(&mut self, key: &str) -> String {
        self.say(key, Script::text("ECHO_HISTORY").to_string()).await;
        let echo = self.until("message_complete").await.data.to_string();
        self.until("result").await;
        echo
    }

    /// Checks that a full replay is the same to the byte, except for compacted deltas, which a comment
    /// reports.
    pub(crate) async fn replays(&self) {
        let mut events = self.client.resume(&self.id, Some(0)).await;
        let mut replay = BTreeMap::new();
        while !replay.contains_key(&self.last_id()) {
            let frame = events.next().await.expect("the replay is as long");
            if let Some(id) = frame.id {
                replay.insert(id, frame.raw);
            }
        }
        let compacted: Vec<_> = events.comments.iter().filter_map(|comment| compacted(comment)).collect();
        for frame in &self.shown {
            let id = frame.id.expect("numbered");
            match replay.get(&id) {
                Some(raw) => assert_eq!(raw, &frame.raw),
                None => {
                    assert_eq!(frame.event, "message_delta", "it is missing: {frame:?}");
                    assert!(compacted.iter().any(|range| range.contains(&id)), "it is missing: {frame:?}");
                }
            }
        }
    }
}

/// Parses the numbers in a comment about compacted events.
fn compacted(comment: &str) -> Option<RangeInclusive<u64>> {
    let (first, last) = comment.strip_prefix("compacted ")?.split_once('-')?;
    Some(first.parse().expect("a number")..=last.parse().expect("a number"))
}
