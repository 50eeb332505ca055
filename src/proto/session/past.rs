//! What is left of a session when its process is gone: how it goes on in another one.

use std::{collections::BTreeMap, time::Instant};

use serde_json::value::RawValue;

use super::{Agent, Session, SessionConfig};
use crate::proto::{AskKind, OutEvent, json::Members};

/// A session as its last note told it.
///
/// ```
/// use agent_webkit::proto::Past;
///
/// let past = Past::from_note(r#""status":"running","pending":[],"session_cost_usd":0.25"#);
/// assert!(past.in_turn);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Past {
    /// A turn was running, or waited for an answer.
    pub in_turn: bool,
    /// The prompts that were open, in the order they were asked.
    pub pending: Vec<(AskKind, String)>,
    /// What the session had cost, in US dollars.
    pub session_cost_usd: f64,
}

impl Past {
    /// Reads what [`Session::take_note`] gave. Members that are not there count as nothing.
    #[must_use]
    pub fn from_note(note: &str) -> Self {
        let object = format!("{{{note}}}");
        let members: Members<'_> = serde_json::from_str(&object).unwrap_or_default();
        let status: String = read(&members, "status").unwrap_or_default();
        let pending: Vec<Box<RawValue>> = read(&members, "pending").unwrap_or_default();
        Self {
            in_turn: matches!(status.as_str(), "running" | "requires_action"),
            pending: pending.iter().filter_map(|prompt| prompt_of(prompt)).collect(),
            session_cost_usd: read(&members, "session_cost_usd").unwrap_or_default(),
        }
    }
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
    /// A session that goes on after its process was lost: its prompts settle as `cancelled`, and a turn
    /// that was cut ends in an `error` and a `result` with `terminal_reason` `server_restart`. It has no
    /// agent; the next message starts one.
    #[must_use]
    pub fn restore(config: SessionConfig, past: &Past, now: Instant) -> Self {
        let mut session = Self::new(config, now);
        session.outputs.clear();
        session.agent = Agent::Down;
        session.cost.restore(past.session_cost_usd);
        for (kind, correlation_id) in &past.pending {
            session.emit(OutEvent::prompt_resolved(correlation_id, *kind, "cancelled", None));
        }
        if past.in_turn {
            let reason = "server_restart";
            session.emit(OutEvent::error(
                reason,
                "The server was restarted while this turn ran; the turn is lost.",
            ));
            session.emit(OutEvent::aborted_result(&session.config.session_id, reason, past.session_cost_usd));
        }
        session
    }
}
