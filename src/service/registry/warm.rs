//! Agents that are started ahead, so that a new session does not wait for its agent to start.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::oneshot,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};
use uuid::Uuid;

use super::sessions::Sessions;
use crate::{
    agent::{Agent, SessionSpec},
    backoff::Backoff,
    error_text::with_sources,
    layers::resume::EventLog,
    metrics::{self, Waiting},
    proto::{AgentCommand, AgentEvent},
    service::{limits::Limits, session::connection::AgentConnection},
    sync::lock,
};

/// Minimum time between two starts, and between a claim and the next start. A start uses half a second of CPU
/// time, which the claimed agent needs for its first turn.
const PACE: Duration = Duration::from_secs(1);

/// Age at which a waiting agent is replaced: the CLI reads `CLAUDE.md` and `git status` only at its start.
const FRESH: Duration = Duration::from_secs(300);

/// Maximum pause after agents have failed to start or were lost.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The agents started ahead, for sessions with the default spec. An agent's session id is fixed at its start,
/// so the session takes the agent's id; no id is offered twice.
pub(crate) struct Warm<A> {
    pool: Arc<Pool<A>>,
    agents: usize,
    begun: AtomicBool,
    tasks: TaskTracker,
    _stops_when_dropped: DropGuard,
}

struct Pool<A> {
    agent: A,
    /// The spec of waiting agents, without the id.
    default_spec: SessionSpec,
    /// Oldest first.
    offers: Mutex<VecDeque<Offer<A>>>,
    last_start: tokio::sync::Mutex<Option<Instant>>,
    stop: CancellationToken,
}

/// A waiting agent.
struct Offer<A> {
    session_id: String,
    claim: oneshot::Sender<oneshot::Sender<AgentConnection<A>>>,
}

/// How the wait of an agent ended.
enum Fate {
    Claimed,
    Stale,
    Lost(String),
    Stopped,
}

impl<A: Agent> Warm<A> {
    pub(crate) fn new<L: EventLog>(agent: A, sessions: &Sessions<L>, limits: &Limits) -> Self {
        let stop = sessions.ending().child_token();
        let pool = Pool {
            agent,
            default_spec: sessions.spec("", &sessions.policy().workspaces()[0]),
            offers: Mutex::default(),
            last_start: tokio::sync::Mutex::default(),
            stop: stop.clone(),
        };
        Self {
            pool: Arc::new(pool),
            agents: limits.warm.min(limits.max_sessions),
            begun: AtomicBool::new(false),
            tasks: sessions.tasks().clone(),
            _stops_when_dropped: stop.drop_guard(),
        }
    }

    /// Starts the tasks that keep agents waiting until the shutdown. Further calls do nothing.
    pub(crate) fn start_filling(&self) {
        if self.agents > 0 && !self.begun.swap(true, Ordering::AcqRel) {
            for _ in 0..self.agents {
                let pool = Arc::clone(&self.pool);
                self.tasks.spawn(async move { pool.keep_one().await });
            }
        }
    }

    /// Claims a waiting agent for a new session with the default spec, and gives the session the agent's id.
    pub(crate) async fn claim(&self, spec: &mut SessionSpec) -> Option<AgentConnection<A>> {
        if self.agents == 0 || !self.pool.is_default(spec) {
            return None;
        }
        let claimed = self.pool.claim().await;
        metrics::warm_claimed(claimed.is_some());
        let (session_id, mut connection) = claimed?;
        spec.session_id = session_id;
        if let Some(owner) = spec.owner.clone() {
            // The channel of an agent that has got no command yet has room.
            let _ = connection.send(AgentCommand::SetOwner { owner });
        }
        Some(connection)
    }
}

impl<A: Agent> Pool<A> {
    /// Whether waiting agents were started with everything that this spec chooses.
    fn is_default(&self, spec: &SessionSpec) -> bool {
        let SessionSpec { cwd, profile, model, permission_mode, resume, report_cost, .. } = spec;
        let same = *cwd == self.default_spec.cwd && *report_cost == self.default_spec.report_cost;
        let chosen = [profile, model, permission_mode].iter().any(|choice| choice.is_some());
        same && !chosen && !resume
    }

    async fn claim(&self) -> Option<(String, AgentConnection<A>)> {
        loop {
            // An agent may be lost before it answers; then the next one is tried.
            let Offer { session_id, claim } = self.offers().pop_front()?;
            let (answer, connection) = oneshot::channel();
            if claim.send(answer).is_ok()
                && let Ok(connection) = connection.await
            {
                return Some((session_id, connection));
            }
        }
    }

    /// Keeps one agent waiting until the shutdown.
    async fn keep_one(&self) {
        let after_losses = || Backoff::new(2 * PACE, LONGEST_PAUSE);
        let mut backoff = after_losses();
        loop {
            let fate = self.offer_one().await;
            if !matches!(fate, Fate::Lost(_)) {
                backoff = after_losses();
            }
            let pause = match fate {
                Fate::Claimed => PACE,
                Fate::Stale => Duration::ZERO,
                Fate::Lost(why) => {
                    tracing::warn!(why, "an agent started ahead failed to start or was lost");
                    backoff.next_pause()
                }
                Fate::Stopped => return,
            };
            self.stop.run_until_cancelled(sleep(pause)).await;
        }
    }

    /// Starts an agent and offers it until it is claimed, stale or lost.
    async fn offer_one(&self) -> Fate {
        if self.stop.run_until_cancelled(self.turn()).await.is_none() {
            return Fate::Stopped;
        }
        let spec = SessionSpec { session_id: Uuid::new_v4().to_string(), ..self.default_spec.clone() };
        let session_id = spec.session_id.clone();
        let mut connection = AgentConnection::starting(self.agent.clone(), spec);
        match self.stop.run_until_cancelled(connection.up()).await {
            Some(Ok(())) => {}
            Some(Err(error)) => return Fate::Lost(with_sources(&*error)),
            None => {
                connection.gone().await;
                return Fate::Stopped;
            }
        }
        let (claim, mut claimed) = oneshot::channel();
        self.offers().push_back(Offer { session_id: session_id.clone(), claim });
        let waiting = Waiting::new();
        let fate = tokio::select! {
            biased;
            // Polled first, so that no session gets an agent that is already lost.
            why = lost(&mut connection) => Fate::Lost(why),
            Ok(answer) = &mut claimed => match answer.send(connection) {
                Ok(()) => return Fate::Claimed,
                // The claimant is gone. The agent ends, because its id was offered and is never offered
                // twice.
                Err(unwanted) => {
                    connection = unwanted;
                    Fate::Claimed
                }
            },
            () = sleep(FRESH) => Fate::Stale,
            () = self.stop.cancelled() => Fate::Stopped,
        };
        self.offers().retain(|offer| offer.session_id != session_id);
        drop((claimed, waiting));
        connection.gone().await;
        fate
    }

    /// Waits until the next start is allowed. The lock is held over the sleep, so that starts come one by
    /// one.
    async fn turn(&self) {
        let mut last = self.last_start.lock().await;
        if let Some(last) = *last {
            sleep_until(last + PACE).await;
        }
        *last = Some(Instant::now());
    }

    fn offers(&self) -> MutexGuard<'_, VecDeque<Offer<A>>> {
        lock(&self.offers)
    }
}

/// Waits until the agent is lost. Its earlier events stay in the connection for its session.
async fn lost<A: Agent>(connection: &mut AgentConnection<A>) -> String {
    loop {
        connection.next().await;
        if let Some(AgentEvent::Exited { message }) = connection.events.last() {
            return message.clone();
        }
    }
}
