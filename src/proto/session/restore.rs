//! Suspends a session in one process and restores it in another.

use std::time::Instant;

use serde_json::value::RawValue;

use super::{Agent, Outcome, Session, SessionConfig};
use crate::proto::{
    NoAnswer, Note, OpenPrompt, OutEvent, Output, Status, message_ids::MessageIds, turn::Queued,
    wakeups::Wakeups,
};

/// The code of the `error` and the `terminal_reason` of the `result` that end an interrupted turn.
const RESTART: &str = "server_restart";

impl Session {
    /// Restores a session whose process has ended. Prompts that another agent can ask again stay open, and
    /// their turn continues once they are answered. Other prompts settle as `cancelled`, tasks as `killed`, and
    /// an interrupted turn ends in an `error` and a `result` with `terminal_reason` `server_restart`. The
    /// session has no agent until a message or an answer needs one.
    ///
    /// `note` is the last one that [`Session::take_note`] returned. `queued` are the uuids and contents of
    /// the messages that its [`Memo`](crate::proto::Memo) names; they are queued again.
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
        session.config.budget_usd = least(session.config.budget_usd, memo.budget_usd);
        session.spending.day = memo.day_cost.day;
        session.spending.before = session_cost_usd - memo.day_cost.usd;
        session.spending.inherited = memo.inherited_usd;
        // The stream has its `session_ready` already.
        session.outputs.clear();
        session.agent = Agent::Down;
        session.cost.restore(session_cost_usd, memo.running_usd);
        let (kept, lost): (Vec<_>, Vec<_>) =
            pending.into_iter().partition(|prompt| memo.resumable.contains(&prompt.correlation_id));
        for prompt in &lost {
            let id = &prompt.correlation_id;
            session.emit(OutEvent::prompt_resolved(id, prompt.kind, "cancelled", None, None));
        }
        session.prompts.restore(kept.iter().filter_map(OpenPrompt::to_ask).collect());
        session.running_tasks = memo.tasks;
        session.kill_tasks();
        if !session.prompts.is_empty() {
            session.turns.began();
        } else if matches!(status, Status::Running | Status::RequiresAction) {
            session.cut_turn();
        }
        session.mcp = memo.mcp;
        for key in memo.keys {
            let message_uuid = memo.sent.get(&key.key).cloned();
            session.keys.remember(key, message_uuid);
        }
        session.message_ids = MessageIds::decode(&memo.message_ids);
        session.permissions = memo.permissions;
        session.mode_before_plan = memo.mode_before_plan;
        session.effort = memo.effort;
        session.wakeups = Wakeups::restored(memo.wakeups);
        for (message_uuid, content) in queued {
            let verbatim = memo.verbatim.contains(&message_uuid);
            session.turns.push(Queued { content, message_uuid, verbatim });
        }
        session.send_next();
        session
    }

    /// Creates a session that begins with a copy of another one's events, up to the end of a turn. `note` is the state
    /// at that place, `messages` are the uuids of the copied user's messages. Its agent is being started.
    #[must_use]
    pub fn forked<'a>(
        config: SessionConfig,
        note: Note,
        messages: impl IntoIterator<Item = &'a str>,
        now: Instant,
    ) -> Self {
        let mut session = Self::restore(config, note, [], now);
        session.agent = Agent::Starting(Vec::new());
        session.spending.inherited = session.cost.session();
        session.spending.before = session.spending.inherited;
        messages.into_iter().for_each(|uuid| session.message_ids.add(uuid));
        session
    }

    /// Ends the session in this process as if the process were lost: the turn is interrupted and queued
    /// messages are kept. There is no `done`, because the session continues where it is restored.
    pub fn suspend(&mut self) {
        if self.closed {
            return;
        }
        self.clear_messages();
        let lost = self.prompts.settle_lost(Outcome::Cancelled);
        self.emit_all(lost);
        self.kill_tasks();
        if self.prompts.is_empty() && self.turns.abort() {
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
        self.aborted_result(RESTART);
    }
}

/// The lower one of two limits.
fn least(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
