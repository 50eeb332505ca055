//! The timeouts of a session.

use std::time::Instant;

use super::{Agent, Presence, Session, WhenIdle};
use crate::proto::{OutEvent, Output};

impl Session {
    /// Returns when to call [`Session::handle_timeout`]. The time may change with every other call.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let idle_at = if self.is_busy() { None } else { Some(self.unless_it_wakes(self.idle_at)) };
        [self.messages.held_until(), self.turns.settles_at(), self.wakes_at(), self.hibernates_at(), idle_at]
            .into_iter()
            .flatten()
            .min()
            .filter(|_| !self.closed)
    }

    /// Handles the timeouts that are due.
    pub fn handle_timeout(&mut self, now: Instant, presence: Presence) {
        if self.closed {
            return;
        }
        if self.messages.held_until().is_some_and(|until| until <= now) {
            self.release_messages();
        }
        self.turns.settle(now);
        self.send_next();
        self.wake(now);
        if self.hibernates_at().is_some_and(|at| at <= now) {
            self.hibernate();
            if !self.is_busy() {
                self.release_unless_needed(now, presence);
            }
        }
        if self.is_busy() || now < self.unless_it_wakes(self.idle_at) {
            return;
        }
        // A reader keeps the session from being idle until it detaches.
        let watched_until = if presence.readers > 0 { Some(now) } else { presence.last_detached };
        match watched_until.map(|at| at + self.config.idle_timeout).filter(|at| *at > now) {
            Some(later) => self.idle_at = later,
            None if self.config.when_idle == WhenIdle::Close => self.close(),
            None => {
                self.idle_at = now + self.config.idle_timeout;
                self.release_unless_needed(now, presence);
            }
        }
    }

    fn release_unless_needed(&mut self, now: Instant, presence: Presence) {
        let is_needed = presence.readers > 0 || self.wakes_soon(now);
        if self.config.when_idle == WhenIdle::Release && !is_needed {
            self.release_agent();
            self.outputs.push_back(Output::Release);
        }
    }

    fn hibernates_at(&self) -> Option<Instant> {
        let quiet = !self.is_busy() || self.waits_for_answers();
        let rests = matches!(self.agent, Agent::Up) && self.requests.is_empty() && quiet;
        self.config
            .hibernate_after
            .filter(|_| rests)
            .map(|after| self.unless_it_wakes(self.active_at + after))
    }

    fn hibernate(&mut self) {
        self.release_messages();
        self.release_agent();
        self.emit(OutEvent::status("hibernating", &Vec::new()));
    }

    /// Whether the agent does nothing until a prompt is answered which another agent can ask again.
    fn waits_for_answers(&self) -> bool {
        let resumable = self.prompts.resumable().len();
        resumable > 0 && resumable == self.prompts.open().len() && self.running_tasks.is_empty()
    }

    pub(super) fn is_busy(&self) -> bool {
        self.turns.is_running() || !self.prompts.is_empty() || !self.running_tasks.is_empty()
    }

    pub(super) fn touch(&mut self, now: Instant) {
        self.active_at = now;
        self.idle_at = now + self.config.idle_timeout;
    }
}
