//! From the CLI's lines to the frames in the event log.

use std::time::{Duration, Instant};

use agent_webkit::{
    layers::resume::{Batch, Event, RingStream},
    proto::{Output, Session, SessionConfig, WhenIdle},
};

use crate::{append, codec, stream};

/// A session and its event stream, driven as the service drives them.
#[derive(Debug)]
pub struct Pipe {
    session: Session,
    stream: RingStream,
    now: Instant,
}

impl Default for Pipe {
    fn default() -> Self {
        let config = SessionConfig {
            session_id: "5b181949-e7a5-4552-9814-74e14b23ec5d".to_owned(),
            model: None,
            permission_mode: None,
            idle_timeout: Duration::from_secs(300),
            when_idle: WhenIdle::Close,
            hibernate_after: None,
            queue_limit: 128,
            budget_usd: None,
        };
        let now = Instant::now();
        let mut session = Session::new(config, now);
        session.handle_started(now);
        Self { session, stream: stream(), now }
    }
}

impl Pipe {
    /// Decodes lines and appends their events to the stream.
    pub fn feed(&mut self, lines: &[u8]) {
        for event in codec(lines) {
            self.session.handle_agent(self.now, event);
        }
        let mut batch = Batch::default();
        while let Some(output) = self.session.poll_output() {
            if let Output::Event(event) = output {
                batch.events.push(Event::new(event.name, event.data));
            }
        }
        batch.note = self.session.take_note().map(|note| note.encode().into());
        append(&self.stream, batch);
    }
}
