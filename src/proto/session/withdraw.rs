//! A message that was taken, and does not run after all.

use super::{Agent, Session};
use crate::proto::{AgentCommand, IdempotencyKey, OutEvent};

/// The code of the `error`, and the reason of the `result` where a turn had begun.
const WITHDRAWN: &str = "message_withdrawn";

impl Session {
    /// Takes back a user's message whose sender was told that it does not run. Call it before its command is passed
    /// on to the agent, which must not happen any more. `key` may be used again.
    pub fn withdraw(&mut self, message_uuid: &str, key: Option<&IdempotencyKey>) {
        if self.closed {
            return;
        }
        if let Some(key) = key {
            self.keys.forget(key);
        }
        self.message_ids.remove(message_uuid);
        let message =
            "A message came too late to be run: its sender was told so while it could not be stored.";
        self.emit(OutEvent::error(WITHDRAWN, message));
        if self.turns.remove(message_uuid) {
            return;
        }
        if let Agent::Starting(commands) = &mut self.agent {
            commands.retain(|command| !matches!(command, AgentCommand::User { message_uuid: uuid, .. } if uuid == message_uuid));
        }
        if self.turns.abort() {
            self.aborted_result(WITHDRAWN);
        }
        self.send_next();
    }
}
