//! A reader of a session's stream that reconnects to any host.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use http::{Method, StatusCode};

use crate::{
    story::Story,
    support::{Events, Frame, Random},
    world::World,
};

/// A reader tries another connection after this time without an event, because its host may be frozen.
const SILENCE: Duration = Duration::from_secs(4);

/// A reader that checks what it receives.
pub(crate) struct Follower {
    world: Arc<World>,
    pub(crate) id: String,
    random: Random,
    /// The number of the event that it received last.
    cursor: u64,
    /// What it knows from the events up to the newest.
    pub(crate) story: Story,
    /// Numbers that a comment reported as compacted.
    compacted: BTreeSet<u64>,
    events: Option<Events>,
    comments: usize,
}

impl Follower {
    pub(crate) fn new(world: &Arc<World>, id: &str, actor: u64) -> Self {
        Self {
            world: Arc::clone(world),
            id: id.to_owned(),
            random: world.random(actor),
            cursor: 0,
            story: Story::default(),
            compacted: BTreeSet::new(),
            events: None,
            comments: 0,
        }
    }

    /// Returns the next numbered event, over as many connections as it takes; `None` if the session is gone.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        loop {
            let Some(events) = &mut self.events else {
                if !self.attach().await {
                    return None;
                }
                continue;
            };
            match tokio::time::timeout(SILENCE, events.try_next()).await {
                Ok(Some(frame)) if frame.id.is_some() => return Some(self.take(frame)),
                Ok(Some(frame)) => self.unnumbered(&frame),
                Ok(None) | Err(_) => self.events = None,
            }
        }
    }

    /// Whether a replay skipped this event and reported it.
    pub(crate) fn was_compacted(&self, number: u64) -> bool {
        self.compacted.contains(&number)
    }

    /// Drops the connection, as a network failure does.
    pub(crate) fn disconnect(&mut self) {
        self.events = None;
    }

    /// Continues after an earlier event, as a client that has forgotten the newer ones.
    pub(crate) fn go_back(&mut self) {
        self.cursor = self.random.below(self.cursor + 1);
        self.events = None;
    }

    fn take(&mut self, frame: Frame) -> Frame {
        let number = frame.id.expect("numbered");
        self.note_compacted();
        let missing = (self.cursor + 1..number).find(|missing| !self.compacted.contains(missing));
        if let Some(missing) = missing {
            self.violation(&format!("{missing} is missing before {number}"));
        }
        if number <= self.cursor {
            self.violation(&format!("{number} after {}", self.cursor));
        }
        self.cursor = number;
        self.world.ledger.saw(&self.id, &frame);
        if number > self.story.last {
            self.story.add(&frame);
        }
        frame
    }

    fn unnumbered(&mut self, frame: &Frame) {
        if frame.event == "error" {
            self.world.ledger.count(&format!("streams that ended with the error {}", frame.str("code")));
            return;
        }
        if frame["as_of_seq"] != self.cursor {
            self.violation(&format!("the state is as of {}, after {}", frame["as_of_seq"], self.cursor));
        }
        if self.cursor == self.story.last {
            let pending = frame["pending"].as_array().expect("a list").iter();
            let pending: BTreeSet<_> = pending.map(|prompt| prompt["correlation_id"].as_str()).collect();
            let open: BTreeSet<_> = self.story.open_prompts().into_iter().map(Some).collect();
            if pending != open {
                self.violation(&format!("{pending:?} are pending, {open:?} are open at {}", self.cursor));
            }
        }
        self.world.ledger.count("states compared");
    }

    fn note_compacted(&mut self) {
        let events = self.events.as_ref().expect("an event came");
        for comment in &events.comments[self.comments..] {
            let Some((first, last)) = comment.strip_prefix("compacted ").and_then(|c| c.split_once('-'))
            else {
                continue;
            };
            let [first, last]: [u64; 2] = [first, last].map(|number| number.parse().expect("a number"));
            self.compacted.extend(first..=last);
        }
        self.comments = events.comments.len();
    }

    /// Tries once to open the stream after the last event. Returns whether the session still exists.
    async fn attach(&mut self) -> bool {
        let path = format!("/sessions/{}/stream", self.id);
        let cursor = self.cursor.to_string();
        let headers = [("last-event-id", cursor.as_str())];
        let hosts = &self.world.hosts;
        match hosts.send(&mut self.random, Method::GET, &path, &headers, String::new()).await {
            Some(answer) if answer.status() == StatusCode::OK => {
                self.events = Some(Events::new(answer.into_body()));
                self.comments = 0;
                self.world.ledger.count("connections of readers");
            }
            Some(answer) if answer.status() == StatusCode::NOT_FOUND => return false,
            Some(answer) if answer.status() != StatusCode::SERVICE_UNAVAILABLE => {
                self.violation(&format!("the stream after {cursor} gave {}", answer.status()));
                return false;
            }
            Some(_) | None => tokio::time::sleep(Duration::from_millis(50)).await,
        }
        true
    }

    fn violation(&self, what: &str) {
        self.world.ledger.violation(format!("{}: {what}", self.id));
    }
}
