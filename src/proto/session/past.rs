//! What is left of a session when its process is gone: how it goes on in another one.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use serde_json::value::RawValue;

use super::{Agent, Outcome, Session, SessionConfig, memo::Stored};
use crate::proto::{AskKind, IdempotencyKey, NoAnswer, OutEvent, Output, json::Members, turn::Queued};

/// The reason of an `error` and a `result` that end a turn which the server did not live to see end.
const RESTART: &str = "server_restart";

/// A session as its last note told it.
///
/// ```
/// use agent_webkit::proto::Past;
///
/// let past = Past::from_note(r#""status":"running","pending":[],"session_cost_usd":0.25"#);
/// assert!(past.in_turn);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Past {
    /// A turn was running, or waited for an answer.
    pub in_turn: bool,
    /// The prompts that were open, in the order they were asked.
    pub pending: Vec<(AskKind, String)>,
    /// What the session had cost, in US dollars.
    pub session_cost_usd: f64,
    /// The `message_uuid`s of the messages that waited for their turn, in order.
    pub queued: Vec<String>,
    /// The idempotency keys of inputs that were taken.
    pub keys: Vec<IdempotencyKey>,
    /// The background tasks that ran.
    pub tasks: BTreeSet<String>,
    /// The MCP servers and their statuses.
    pub mcp: BTreeMap<String, String>,
}

impl Past {
    /// Reads what [`Session::take_note`] gave. Members that are not there count as nothing.
    #[must_use]
    pub fn from_note(note: &str) -> Self {
        let object = format!("{{{}}}", state_of(note));
        let members: Members<'_> = serde_json::from_str(&object).unwrap_or_default();
        let status: String = read(&members, "status").unwrap_or_default();
        let pending: Vec<Box<RawValue>> = read(&members, "pending").unwrap_or_default();
        let memo = note.split_once('\n').map_or("{}", |(_, memo)| memo);
        let memo: Stored = serde_json::from_str(memo).unwrap_or_default();
        Self {
            in_turn: matches!(status.as_str(), "running" | "requires_action"),
            pending: pending.iter().filter_map(|prompt| prompt_of(prompt)).collect(),
            session_cost_usd: read(&members, "session_cost_usd").unwrap_or_default(),
            keys: memo.keys().collect(),
            queued: memo.queued,
            tasks: memo.tasks,
            mcp: memo.mcp,
        }
    }
}

/// The part of a note that clients see: members of `session_state`.
#[must_use]
pub fn state_of(note: &str) -> &str {
    note.split_once('\n').map_or(note, |(state, _)| state)
}

fn read<T: serde::de::DeserializeOwned>(members: &BTreeMap<String, &RawValue>, name: &str) -> Option<T> {
    serde_json::from_str(members.get(name)?.get()).ok()
}

fn prompt_of(prompt: &RawValue) -> Option<(AskKind, String)> {
    let members: Members<'_> = serde_json::from_str(prompt.get()).ok()?;
    let kind = match read::<String>(&members, "type")?.as_str() {
        "permission_request" => AskKind::Permission,
        "ask_user_question" => AskKind::Question,
        _ => AskKind::Hook,
    };
    Some((kind, read(&members, "correlation_id")?))
}

impl Session {
    /// A session that goes on after its process was lost: its prompts settle as `cancelled`, its tasks as
    /// `killed`, and a turn that was cut ends in an `error` and a `result` with `terminal_reason`
    /// `server_restart`. It has no agent; the next message starts one.
    ///
    /// `queued` are the contents of the messages that [`Past::queued`] names, with their names: they wait
    /// for their turn again.
    #[must_use]
    pub fn restore(
        config: SessionConfig,
        past: Past,
        queued: impl IntoIterator<Item = (String, Box<RawValue>)>,
        now: Instant,
    ) -> Self {
        let mut session = Self::new(config, now);
        session.outputs.clear();
        session.agent = Agent::Down;
        session.cost.restore(past.session_cost_usd);
        for (kind, correlation_id) in &past.pending {
            session.emit(OutEvent::prompt_resolved(correlation_id, *kind, "cancelled", None));
        }
        session.running_tasks = past.tasks;
        session.kill_tasks();
        if past.in_turn {
            session.cut_turn();
        }
        session.mcp = past.mcp;
        past.keys.into_iter().for_each(|key| session.keys.remember(key));
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
        self.release_messages();
        let settled = self.prompts.settle_all(Outcome::Cancelled);
        self.emit_all(settled);
        self.kill_tasks();
        if self.turns.abort() {
            self.cut_turn();
        }
        for request in std::mem::take(&mut self.requests).into_keys() {
            self.outputs.push_back(Output::Answer { request, outcome: Err(NoAnswer::AgentGone) });
        }
        (self.closed, self.suspended) = (true, true);
        if !matches!(std::mem::replace(&mut self.agent, Agent::Down), Agent::Down) {
            self.outputs.push_back(Output::Stop);
        }
        self.outputs.push_back(Output::Closed);
    }

    fn cut_turn(&mut self) {
        let message = "The server was restarted while this turn ran; the turn is lost.";
        self.emit(OutEvent::error(RESTART, message));
        self.emit(OutEvent::aborted_result(&self.config.session_id, RESTART, self.cost.session()));
    }

    pub(super) fn kill_tasks(&mut self) {
        for task_id in std::mem::take(&mut self.running_tasks) {
            self.emit(OutEvent::task_update(&task_id, "killed", &Vec::new()));
        }
    }
}
