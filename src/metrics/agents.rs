//! Agents: starts, startup times and running agents.

use tokio::time::Instant;

use super::{
    level::Level,
    metric::{Kind, Metric},
};

const RUNNING: Metric = Metric::new(
    Kind::Gauge,
    "agent_webkit_agents_running",
    "Running agents, including those that are ending.",
);
const STARTS: Metric = Metric::new(
    Kind::Counter,
    "agent_webkit_agent_starts_total",
    "Attempts to start an agent, new or resumed, by outcome.",
);
const START_TIME: Metric = Metric::new(
    Kind::Seconds,
    "agent_webkit_agent_start_duration_seconds",
    "Time from the request for an agent until it has started or failed to start.",
);
const READY_TIME: Metric = Metric::new(
    Kind::Seconds,
    "agent_webkit_agent_ready_duration_seconds",
    "Time from the request for an agent until it reports that it is ready.",
);
const LOST: Metric =
    Metric::new(Kind::Counter, "agent_webkit_agents_lost_total", "Agents that ended unexpectedly.");

const WARM: Metric =
    Metric::new(Kind::Gauge, "agent_webkit_agents_warm", "Agents started ahead that wait for a session.");
const CLAIMS: Metric = Metric::new(
    Kind::Counter,
    "agent_webkit_warm_claims_total",
    "New sessions that may use an agent started ahead, by whether one was waiting.",
);

pub(super) const ALL: &[Metric] = &[RUNNING, STARTS, START_TIME, READY_TIME, LOST, WARM, CLAIMS];

/// Counts an agent that waits for a session, until dropped.
pub(crate) struct Waiting {
    _level: Level,
}

impl Waiting {
    pub(crate) fn new() -> Self {
        Self { _level: WARM.level().at(1) }
    }
}

/// Counts a session's attempt to claim an agent started ahead.
pub(crate) fn warm_claimed(found: bool) {
    CLAIMS.counter(&[("outcome", if found { "found" } else { "none" })]).add(1);
}

/// The metrics of one session's agents.
pub(crate) struct AgentMetrics {
    running: Level,
    /// When an agent was requested, and whether it resumes a conversation.
    wanted: Option<(Instant, bool)>,
    /// When the agent was requested that has started and is not ready yet.
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
