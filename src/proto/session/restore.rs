//! A session that goes on in another process than the one in which it was.

use std::time::Instant;

use serde_json::value::RawValue;

use super::{Agent, Outcome, Session, SessionConfig};
use crate::proto::{NoAnswer, Note, OutEvent, Output, Status, turn::Queued};

/// The reason of an `error` and a `result` that end a turn which the server did not live to see end.
const RESTART: &str = "server_restart";

impl Session {
    /// A session that goes on after its process was lost: its prompts settle as `cancelled`, its tasks as
    /// `killed`, and a turn that was cut ends in an `error` and a `result` with `terminal_reason`
    /// `server_restart`. It has no agent; the next message starts one.
    ///
    /// `note` is the last one that [`Session::take_note`] gave. `queued` are the contents of the messages that
    /// its [`Memo`](crate::proto::Memo) names, with their names: they wait for their turn again.
    #[must_use]
    pub fn restore(
        config: SessionConfig,
        note: Note,
        queued: impl IntoIterator<Item = (String, Box<RawValue>)>,
        now: Instant,
    ) -> Self {
        let Note { status, pending, session_cost_usd, memo } = note;
        let memo = memo.unwrap_or_default();
        let mut session = Self::new(config, now);
        session.outputs.clear();
        session.agent = Agent::Down;
        session.cost.restore(session_cost_usd);
        for prompt in &pending {
            let id = &prompt.correlation_id;
            session.emit(OutEvent::prompt_resolved(id, prompt.kind, "cancelled", None));
        }
        session.running_tasks = memo.tasks;
        session.kill_tasks();
        if matches!(status, Status::Running | Status::RequiresAction) {
            session.cut_turn();
        }
        session.mcp = memo.mcp;
        memo.keys.into_iter().for_each(|key| session.keys.remember(key));
        for (message_uuid, content) in queued {
            session.turns.push(Queued { content, message_uuid });
        }
        session.send_next();
        session
    }

    /// Ends the session's stay in this process, as if the process were lost: what runs is cut, what waits
    /// is kept. It has no `done`, for it goes on where it is restored.
    pub fn suspend(&mut self) {
        if self.closed {
            return;
        }
        self.clear_messages();
        self.settle_all(Outcome::Cancelled);
        self.kill_tasks();
        if self.turns.abort() {
            self.cut_turn();
        }
        self.refuse_requests(&NoAnswer::AgentGone);
        (self.closed, self.suspended) = (true, true);
        self.release_agent();
        self.outputs.push_back(Output::Closed);
    }

    fn cut_turn(&mut self) {
        let message = "The server was restarted while this turn ran; the turn is lost.";
        self.emit(OutEvent::error(RESTART, message));
        self.emit(OutEvent::aborted_result(&self.config.session_id, RESTART, self.cost.session()));
    }
}
