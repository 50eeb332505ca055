//! Takes back queued messages, and what the agent has done to files.

use super::{Agent, Request, Session};
use crate::proto::{Accepted, AgentCommand, NoAnswer, OutEvent, Output, Refused};

impl Session {
    /// Withdraws a message that does not run yet: from the session's queue, from the commands for an agent that starts,
    /// or from the agent's own queue.
    pub(super) fn cancel_message(&mut self, message_uuid: String) -> Result<Accepted, Refused> {
        if self.turns.remove(&message_uuid) {
            self.emit(OutEvent::user_message_cancelled(&message_uuid));
            return Ok(Accepted::Done);
        }
        if self.turns.sent() != Some(&*message_uuid) {
            return Err(Refused::NotQueued);
        }
        match &mut self.agent {
            Agent::Starting(commands) => {
                commands.retain(|command| !matches!(command, AgentCommand::User { .. }));
                self.cancelled(&message_uuid);
                Ok(Accepted::Done)
            }
            // The agent may have the message in a queue of its own, behind a turn that it began by itself.
            Agent::Up => {
                let request = self.request(Request::CancelMessage(message_uuid.clone()))?;
                self.tell(AgentCommand::CancelMessage { request, message_uuid });
                Ok(Accepted::Asked(request))
            }
            Agent::Down => Err(Refused::NotQueued),
        }
    }

    /// Records that the sent message does not run.
    pub(super) fn cancelled(&mut self, message_uuid: &str) {
        self.turns.cancel_sent(message_uuid);
        self.emit(OutEvent::user_message_cancelled(message_uuid));
        self.send_next();
    }

    /// Puts files back as they were before a message.
    pub(super) fn rewind(&mut self, message_uuid: String, dry_run: bool) -> Result<Accepted, Refused> {
        if self.turns.is_running() {
            return Err(Refused::TurnRuns);
        }
        let request = self.request(Request::Rewind { message_uuid: message_uuid.clone(), dry_run })?;
        self.tell(AgentCommand::Rewind { request, message_uuid, dry_run });
        Ok(Accepted::Asked(request))
    }

    pub(super) fn rewound(&mut self, id: u64, files: &[String]) {
        let Some(Request::Rewind { message_uuid, dry_run }) = self.requests.remove(&id) else { return };
        self.emit(OutEvent::files_rewound(&message_uuid, files, dry_run));
        self.outputs.push_back(Output::Answer { request: id, outcome: Ok(()) });
        self.send_next();
    }

    /// Whether a turn has to wait, because the agent changes files now.
    pub(super) fn is_rewinding(&self) -> bool {
        self.requests.values().any(|request| matches!(request, Request::Rewind { .. }))
    }
}

/// Why a message was not cancelled that the agent may have had in a queue.
pub(super) fn not_cancelled(why: NoAnswer) -> NoAnswer {
    match why {
        NoAnswer::Refused(_) => NoAnswer::NotQueued,
        other => other,
    }
}
