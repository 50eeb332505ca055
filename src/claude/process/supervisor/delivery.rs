//! Delivery of events to the session, after the transcript entries that have to be stored first.

use std::time::Duration;

use tokio::time::Instant;

use super::Supervisor;
use crate::proto::AgentEvent;

/// Maximum time that a prompt waits for its tool call. Measured: the CLI writes the call to the transcript up to
/// 0.1 s after it has asked.
const TRANSCRIBED: Duration = Duration::from_secs(2);

impl Supervisor {
    /// Sends events to the session while its channel has room.
    pub(crate) fn deliver(&mut self) {
        if self.events.is_closed() {
            self.bridge.events().clear();
        }
        while !self.bridge.events().is_empty()
            && let Ok(permit) = self.events.clone().try_reserve_owned()
            && !self.is_held()
        {
            permit.send(self.bridge.events().pop_front().expect("there is one"));
        }
    }

    /// Whether the next event has to wait for the transcript store: the end of a turn, or a prompt. Clients that
    /// know a prompt can answer it after this process, and the agent asks again from the transcript alone.
    pub(crate) fn is_held(&mut self) -> bool {
        let Some(mirror) = &mut self.mirror else { return false };
        match self.bridge.events().front() {
            Some(AgentEvent::TurnEnded(_)) => mirror.holds(),
            Some(AgentEvent::Ask(ask)) if ask.resumable => {
                let call = ask.correlation_id.clone();
                if self.bridge.is_transcribed(&call) {
                    self.ask_held_until = None;
                    return mirror.holds();
                }
                self.ask_held_until.get_or_insert_with(|| Instant::now() + TRANSCRIBED);
                true
            }
            _ => false,
        }
    }

    /// Delivers the prompt that is held, although its tool call is not in the transcript: it ends with this
    /// process.
    pub(crate) fn release_ask(&mut self) {
        self.ask_held_until = None;
        if let Some(AgentEvent::Ask(ask)) = self.bridge.events().front_mut() {
            ask.resumable = false;
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
