//! Delivery of events to the session, after the transcript entries that have to be stored first.

use super::Supervisor;
use crate::{
    claude::{protocol::bridge::Bridge, transcripts::mirror::Mirror},
    proto::AgentEvent,
};

impl Supervisor {
    /// Sends events to the session while its channel has room.
    pub(crate) fn deliver(&mut self) {
        if self.events.is_closed() {
            self.bridge.events().clear();
        }
        while !self.bridge.events().is_empty()
            && let Ok(permit) = self.events.try_reserve()
            && !is_held(&mut self.bridge, self.mirror.as_mut())
        {
            permit.send(self.bridge.events().pop_front().expect("there is one"));
        }
    }

    /// Whether the next event is the end of a turn and has to wait for the transcript store.
    pub(crate) fn is_held(&mut self) -> bool {
        is_held(&mut self.bridge, self.mirror.as_mut())
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

/// Whether the next event is the end of a turn whose transcript entries are not stored yet.
fn is_held(bridge: &mut Bridge, mirror: Option<&mut Mirror>) -> bool {
    let ended = matches!(bridge.events().front(), Some(AgentEvent::TurnEnded(_)));
    ended && mirror.is_some_and(Mirror::holds)
}
