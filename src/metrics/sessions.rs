//! Sessions, their turns, their prompts and their events.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;
use tokio::time::Instant;

use super::{
    instruments::{Counter, Histogram, ON},
    level::Level,
    metric::{Kind, Metric},
};

const LIVE: Metric = Metric::new(Kind::Gauge, "agent_webkit_sessions_live", "Sessions in memory.");
const BEGUN: Metric =
    Metric::new(Kind::Counter, "agent_webkit_sessions_started_total", "Sessions created or restored.");
const REFUSED: Metric =
    Metric::new(Kind::Counter, "agent_webkit_sessions_refused_total", "Sessions refused at capacity.");
const ENDED: Metric =
    Metric::new(Kind::Counter, "agent_webkit_sessions_ended_total", "Sessions that left memory.");
const QUEUED: Metric = Metric::new(Kind::Gauge, "agent_webkit_queued_messages", "Queued user messages.");
const TURNS: Metric = Metric::new(Kind::Counter, "agent_webkit_turns_total", "Turns that ended.");
const TURN_TIME: Metric = Metric::new(
    Kind::Seconds,
    "agent_webkit_turn_duration_seconds",
    "Time from the beginning of a turn to its end.",
);
const PROMPTS_OPEN: Metric = Metric::new(Kind::Gauge, "agent_webkit_prompts_open", "Open prompts.");
const PROMPT_TIME: Metric = Metric::new(
    Kind::Seconds,
    "agent_webkit_prompt_wait_seconds",
    "Time from a prompt to its answer or other end.",
);
const EVENTS: Metric =
    Metric::new(Kind::Counter, "agent_webkit_events_total", "Events appended to event logs.");
const APPEND_TIME: Metric = Metric::new(
    Kind::Seconds,
    "agent_webkit_log_append_duration_seconds",
    "Time to append a batch of events, until readers see it.",
);

pub(super) const ALL: &[Metric] =
    &[LIVE, BEGUN, REFUSED, ENDED, QUEUED, TURNS, TURN_TIME, PROMPTS_OPEN, PROMPT_TIME, EVENTS, APPEND_TIME];

/// How a session entered memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    Created,
    Restored,
}

/// Counts a session that was refused at capacity.
pub(crate) fn session_refused() {
    REFUSED.counter(&[]).add(1);
}

/// The metrics of one session while it is in memory.
pub(crate) struct SessionMetrics {
    live: Level,
    queued: Level,
    prompts: Level,
    events: Counter,
    appends: Histogram,
    open: BTreeMap<String, Instant>,
    turn: Option<Turn>,
}

struct Turn {
    since: Instant,
    interrupted: bool,
}

impl SessionMetrics {
    /// Metrics that count nothing before [`begun`](Self::begun).
    pub(crate) fn new() -> Self {
        Self {
            live: LIVE.level(),
            queued: QUEUED.level(),
            prompts: PROMPTS_OPEN.level(),
            events: EVENTS.counter(&[]),
            appends: APPEND_TIME.histogram(&[]),
            open: BTreeMap::new(),
            turn: None,
        }
    }

    pub(crate) fn begun(&mut self, how: Begun) {
        let how = match how {
            Begun::Created => "created",
            Begun::Restored => "restored",
        };
        BEGUN.counter(&[("how", how)]).add(1);
        self.live.set(1);
    }

    /// Counts the end of the session, once, and resets its gauges.
    pub(crate) fn ended(&mut self, reason: &'static str) {
        if self.live.is(1) {
            ENDED.counter(&[("reason", reason)]).add(1);
        }
        self.live.set(0);
        self.queued.set(0);
        self.prompts.set(0);
    }

    pub(crate) fn queued(&mut self, messages: usize) {
        self.queued.set(messages);
    }

    /// Starts the turn's timer, unless it runs already.
    pub(crate) fn turn_began(&mut self) {
        self.turn.get_or_insert_with(|| Turn { since: Instant::now(), interrupted: false });
    }

    pub(crate) fn turn_interrupted(&mut self) {
        if let Some(turn) = &mut self.turn {
            turn.interrupted = true;
        }
    }

    /// Records an event that is about to be appended to the event log.
    pub(crate) fn event(&mut self, name: &str, data: &[u8]) {
        if !ON {
            return;
        }
        match name {
            "permission_request" | "ask_user_question" | "hook_decision_request" => self.prompt_opened(data),
            "prompt_resolved" => self.prompt_resolved(data),
            "result" => self.turn_ended(data),
            _ => {}
        }
    }

    /// Records an appended batch: its number of events and the duration of the append.
    pub(crate) fn appended(&self, events: usize, time: Duration) {
        self.events.add(events as u64);
        self.appends.took(time);
    }

    fn prompt_opened(&mut self, data: &[u8]) {
        #[derive(Deserialize)]
        struct Prompt {
            correlation_id: String,
        }
        if let Ok(Prompt { correlation_id }) = serde_json::from_slice(data) {
            self.open.insert(correlation_id, Instant::now());
            self.prompts.set(self.open.len());
        }
    }

    fn prompt_resolved(&mut self, data: &[u8]) {
        #[derive(Deserialize)]
        struct Resolved {
            correlation_id: String,
            kind: String,
            outcome: String,
        }
        let Ok(Resolved { correlation_id, kind, outcome }) = serde_json::from_slice(data) else { return };
        // A prompt from before the session was restored is not in the map: its wait is unknown.
        if let Some(since) = self.open.remove(&correlation_id) {
            let kind = known(&kind, &["permission", "question", "hook"]);
            let outcome = known(&outcome, &["answered", "cancelled", "session_closed"]);
            PROMPT_TIME.histogram(&[("kind", kind), ("outcome", outcome)]).took(since.elapsed());
        }
        self.prompts.set(self.open.len());
    }

    fn turn_ended(&mut self, data: &[u8]) {
        let turn = self.turn.take();
        let outcome = outcome(data, turn.as_ref().is_some_and(|turn| turn.interrupted));
        TURNS.counter(&[("outcome", outcome)]).add(1);
        if let Some(Turn { since, .. }) = turn {
            TURN_TIME.histogram(&[("outcome", outcome)]).took(since.elapsed());
        }
    }
}

/// How a turn ended, from its `result`.
fn outcome(result: &[u8], interrupted: bool) -> &'static str {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Told {
        subtype: String,
        is_error: bool,
        terminal_reason: Option<String>,
    }
    let Told { subtype, is_error, terminal_reason } = serde_json::from_slice(result).unwrap_or_default();
    match terminal_reason.as_deref() {
        Some("agent_exited" | "agent_start_failed" | "server_restart") => "agent_lost",
        _ if interrupted => "interrupted",
        _ if is_error || subtype != "success" => "error",
        _ => "success",
    }
}

fn known(word: &str, words: &[&'static str]) -> &'static str {
    words.iter().find(|known| **known == word).copied().unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::outcome;

    #[test]
    fn outcomes() {
        for (result, interrupted, expected) in [
            (r#"{"subtype":"success","is_error":false}"#, false, "success"),
            (r#"{"subtype":"success","is_error":true}"#, false, "error"),
            (r#"{"subtype":"error_max_turns"}"#, false, "error"),
            (r#"{"subtype":"error_during_execution"}"#, true, "interrupted"),
            (r#"{"subtype":"error_during_execution","terminal_reason":"agent_exited"}"#, true, "agent_lost"),
            ("no JSON", false, "error"),
        ] {
            assert_eq!(outcome(result.as_bytes(), interrupted), expected, "{result}");
        }
    }
}
