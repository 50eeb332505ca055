//! Looks at the agent: reads what it has, without an effect on the session.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::{Agent, Request, Session};
use crate::proto::{AgentCommand, Look, Output, Refused};

/// The outcome of [`Session::look`].
#[derive(Clone, Debug)]
pub enum Looked {
    /// The answer, which is still true.
    Known(Box<RawValue>),
    /// The agent was asked. [`Output::Looked`] with this number carries its answer.
    Asked(u64),
    /// There is no agent, and its answer is not known.
    Asleep,
}

/// The agent's answers since its last turn began.
#[derive(Debug, Default)]
pub(super) struct Known(BTreeMap<Look, Box<RawValue>>);

impl Session {
    /// Looks at the agent. Starts none, and keeps none awake.
    ///
    /// # Errors
    /// [`Refused::Backpressure`]: the agent has too many unanswered requests; [`Refused::Closed`].
    pub fn look(&mut self, look: Look) -> Result<Looked, Refused> {
        if self.closed {
            return Err(Refused::Closed);
        }
        if matches!(self.agent, Agent::Down) {
            return Ok(self.known.0.get(&look).cloned().map_or(Looked::Asleep, Looked::Known));
        }
        let request = self.request(Request::Look(look))?;
        self.tell(AgentCommand::Look { request, look });
        Ok(Looked::Asked(request))
    }

    pub(super) fn looked(&mut self, request: u64, found: Box<RawValue>) {
        let Some(Request::Look(look)) = self.requests.remove(&request) else { return };
        self.known.0.insert(look, found.clone());
        self.outputs.push_back(Output::Looked { request, outcome: Ok(found) });
    }

    /// Drops the answers that a turn or another agent may change.
    pub(super) fn forget_looks(&mut self) {
        self.known.0.clear();
    }
}
