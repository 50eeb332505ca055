//! The cost of a turn before its end.
//!
//! Measured: when a message has ended (`message_stop`), its cost is in the total that `get_usage` reports, to the last
//! digit of the later `result`. The CLI answers without a request to the model's API.

use super::{Asked, Bridge};
use crate::{
    claude::protocol::{
        encode::Request,
        wire::{Frame, Members, StreamEvent, read},
    },
    proto::AgentEvent,
};

impl Bridge {
    /// Reports what the process has cost after each message of the model, too.
    pub(crate) fn with_costs(mut self) -> Self {
        self.reports_cost = true;
        self
    }

    pub(super) fn ask_cost(&mut self) {
        if self.reports_cost {
            self.ask(Asked::Cost, Request::GetUsage { detached: true, skip_behaviors: true });
        }
    }

    pub(super) fn ask_cost_after(&mut self, frame: &Frame<'_>) {
        let event = frame.event.filter(|_| self.reports_cost).and_then(read::<StreamEvent<'_>>);
        if event.is_some_and(|event| event.kind.0 == "message_stop") {
            self.ask_cost();
        }
    }

    pub(super) fn cost(&mut self, answer: &Members<'_>) {
        if let Some(process_cost_usd) = Members::of(answer.get("session")).read("total_cost_usd") {
            self.events.push_back(AgentEvent::Cost { process_cost_usd });
        }
    }
}
