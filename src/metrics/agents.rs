//! Agents: their starts, and how many run.

use tokio::time::Instant;

use super::{
    level::Level,
    metric::{Kind, Metric},
};

const RUNNING: Metric = Metric::new(
    Kind::Gauge,
    "agent_webkit_agents_running",
    "Agents that run, those that are ending included.",
);
const STARTS: Metric = Metric::new(
    Kind::Counter,
    "agent_webkit_agent_starts_total",
    "Agents that were started, or could not be; new, or going on with a conversation.",
);
const START_TIME: Metric = Metric::new(
    Kind::Seconds,
    "agent_webkit_agent_start_duration_seconds",
    "From the wish for an agent to its being there, or to the failure.",
);
const READY_TIME: Metric = Metric::new(
    Kind::Seconds,
    "agent_webkit_agent_ready_duration_seconds",
    "From the wish for an agent to its word that it is ready.",
);
const LOST: Metric =
    Metric::new(Kind::Counter, "agent_webkit_agents_lost_total", "Agents that ended without being asked to.");

const WARM: Metric = Metric::new(
    Kind::Gauge,
    "agent_webkit_agents_warm",
    "Agents that were started ahead and wait for a session.",
);
const CLAIMS: Metric = Metric::new(
    Kind::Counter,
    "agent_webkit_warm_claims_total",
    "New sessions for which an agent could have been waiting, and whether one was.",
);

pub(super) const ALL: &[Metric] = &[RUNNING, STARTS, START_TIME, READY_TIME, LOST, WARM, CLAIMS];

/// An agent that waits for a session, as long as this lives.
pub(crate) struct Waiting {
    _level: Level,
}

impl Waiting {
    pub(crate) fn new() -> Self {
        Self { _level: WARM.level().at(1) }
    }
}

/// A session asked for an agent that waits.
pub(crate) fn warm_claimed(found: bool) {
    CLAIMS.counter(&[("outcome", if found { "found" } else { "none" })]).add(1);
}

/// What is counted of the agents of one session.
pub(crate) struct AgentMetrics {
    running: Level,
    /// The agent that is wanted, and whether it goes on with a conversation.
    wanted: Option<(Instant, bool)>,
    /// The agent that is there and not ready.
    unready: Option<Instant>,
}

impl AgentMetrics {
    pub(crate) fn new() -> Self {
        Self { running: RUNNING.level(), wanted: None, unready: None }
    }

    pub(crate) fn wanted(&mut self, resumed: bool) {
        self.wanted = Some((Instant::now(), resumed));
    }

    pub(crate) fn started(&mut self, ok: bool) {
        let Some((since, resumed)) = self.wanted.take() else { return };
        let outcome = if ok { "ok" } else { "failed" };
        let start = if resumed { "resumed" } else { "new" };
        STARTS.counter(&[("outcome", outcome), ("start", start)]).add(1);
        START_TIME.histogram(&[("outcome", outcome)]).took(since.elapsed());
        self.running.set(usize::from(ok));
        self.unready = ok.then_some(since);
    }

    pub(crate) const fn is_unready(&self) -> bool {
        self.unready.is_some()
    }

    pub(crate) fn ready(&mut self) {
        if let Some(since) = self.unready.take() {
            READY_TIME.histogram(&[]).took(since.elapsed());
        }
    }

    pub(crate) fn lost(&self) {
        LOST.counter(&[]).add(1);
    }

    pub(crate) fn gone(&mut self) {
        self.unready = None;
        self.running.set(0);
    }
}
