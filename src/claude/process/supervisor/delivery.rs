//! Delivery of events to the session, after the transcript entries that have to be stored first.

use std::time::Duration;

use tokio::time::Instant;

use super::Supervisor;
use crate::{
    claude::transcripts::mirror::incomplete,
    proto::{AgentEvent, Ask},
};

/// Whether an event waits for the transcript store, if there is one.
const fn may_wait(event: &AgentEvent) -> bool {
    matches!(event, AgentEvent::TurnEnded(_) | AgentEvent::Ask(Ask { resumable: true, .. }))
}

/// Maximum time that an event waits for the CLI to write to its transcript. Measured: a turn is written before its
/// end, and a tool call up to 0.1 s after the CLI has asked.
const TRANSCRIBED: Duration = Duration::from_secs(2);

impl Supervisor {
    /// Sends events to the session while its channel has room.
    pub(crate) fn deliver(&mut self) {
        if self.events.is_closed() {
            self.bridge.events().clear();
        }
        while !self.bridge.events().is_empty() && !self.is_held() {
            // The first one may be sent, and all others up to the next one that may have to wait.
            let others = self.bridge.events().iter().skip(1).take_while(|event| !may_wait(event)).count();
            let room = self.events.capacity().min(1 + others);
            match self.events.try_reserve_many(room) {
                Ok(permits) if room > 0 => {
                    let events = self.bridge.events().drain(..room);
                    permits.zip(events).for_each(|(permit, event)| permit.send(event));
                }
                _ => break,
            }
        }
    }

    /// Whether the next event has to wait for the transcript store: the end of a turn, or a prompt. Clients that
    /// know a prompt can answer it after this process, and the agent asks again from the transcript alone.
    pub(crate) fn is_held(&mut self) -> bool {
        let Some(mirror) = &mut self.mirror else { return false };
        let is_written = match self.bridge.events().front() {
            Some(AgentEvent::TurnEnded(_)) => self.bridge.transcribed().has_turns(),
            Some(AgentEvent::Ask(ask)) if ask.resumable => {
                let call = ask.correlation_id.clone();
                self.bridge.transcribed().has_call(&call)
            }
            _ => return false,
        };
        if is_written {
            self.held_until = None;
            return mirror.holds();
        }
        self.held_until.get_or_insert_with(|| Instant::now() + TRANSCRIBED);
        true
    }

    /// Delivers the event that is held, although it is not written: a prompt ends with this process then, and the
    /// end of a turn follows an error.
    pub(crate) fn release(&mut self) {
        self.held_until = None;
        match self.bridge.events().front_mut() {
            Some(AgentEvent::Ask(ask)) => ask.resumable = false,
            _ => self.report_unwritten(),
        }
    }

    /// Reports what the CLI has not written of turns that succeeded, such as when its disk is full.
    pub(crate) fn report_unwritten(&mut self) {
        if self.bridge.transcribed().give_up() {
            tracing::warn!("the agent has not written all of a turn to its transcript");
            self.bridge.events().push_front(incomplete(
                "The agent could not write all of this turn to its transcript; once its process has ended, it will \
                 not remember it.",
            ));
        }
    }

    /// Passes new transcript entries to the mirror.
    pub(crate) fn keep(&mut self) {
        for mirrored in self.bridge.take_mirrored() {
            let report = self.mirror.as_mut().and_then(|mirror| mirror.take(mirrored));
            self.report_first(report);
        }
    }

    /// Queues an event of the mirror before all others: the end of a turn may be waiting for the mirror.
    /// Aborts if the session is fenced.
    pub(crate) fn report_first(&mut self, report: Option<AgentEvent>) {
        if let Some(AgentEvent::Fenced) = report {
            self.bridge.events().clear();
            self.abort();
        }
        if let Some(report) = report {
            self.bridge.events().push_front(report);
        }
    }
}
