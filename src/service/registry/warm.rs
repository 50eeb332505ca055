//! Agents that are started ahead, so that a new session need not wait for its own.

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
    proto::AgentEvent,
    service::{limits::Limits, session::connection::AgentConnection},
    sync::lock,
};

/// Time between two starts, and between a claim and the next start: a start takes half a second of a core, which the
/// first turn of the claimed agent needs.
const PACE: Duration = Duration::from_secs(1);

/// Time after which a waiting agent is replaced: the CLI reads `CLAUDE.md` and `git status` at its start alone.
const FRESH: Duration = Duration::from_secs(300);

/// Maximum pause after agents that failed to start or were lost.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Agents started ahead for sessions of the default spec. An agent's session id is fixed at its start, so the session
/// takes the id with the agent, and no id is offered twice.
pub(crate) struct Warm<A> {
    pool: Arc<Pool<A>>,
    agents: usize,
    begun: AtomicBool,
    tasks: TaskTracker,
    _stops_when_dropped: DropGuard,
}

struct Pool<A> {
    agent: A,
    /// What waiting agents are started with, but for the id.
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

/// How a waiting agent ended its wait.
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

    /// Starts keeping agents waiting, until the shutdown. Further calls do nothing.
    pub(crate) fn start_filling(&self) {
        if self.agents > 0 && !self.begun.swap(true, Ordering::AcqRel) {
            for _ in 0..self.agents {
                let pool = Arc::clone(&self.pool);
                self.tasks.spawn(async move { pool.keep_one().await });
            }
        }
    }

    /// A waiting agent for this new session, if the session uses the default spec. The session gets the agent's id.
    pub(crate) async fn claim(&self, spec: &mut SessionSpec) -> Option<AgentConnection<A>> {
        if self.agents == 0 || !self.pool.is_default(spec) {
            return None;
        }
        let claimed = self.pool.claim().await;
        metrics::warm_claimed(claimed.is_some());
        let (session_id, connection) = claimed?;
        spec.session_id = session_id;
        Some(connection)
    }
}

impl<A: Agent> Pool<A> {
    /// Whether the session makes no choice that a waiting agent was not started with.
    fn is_default(&self, spec: &SessionSpec) -> bool {
        let SessionSpec { cwd, model, permission_mode, resume, .. } = spec;
        *cwd == self.default_spec.cwd && model.is_none() && permission_mode.is_none() && !resume
    }

    async fn claim(&self) -> Option<(String, AgentConnection<A>)> {
        loop {
            let Offer { session_id, claim } = self.offers().pop_front()?;
            let (answer, connection) = oneshot::channel();
            if claim.send(answer).is_ok()
                && let Ok(connection) = connection.await
            {
                return Some((session_id, connection));
            }
        }
    }

    /// Keeps one agent waiting.
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
                    tracing::warn!(why, "no agent could be kept waiting");
                    backoff.next_pause()
                }
                Fate::Stopped => return,
            };
            self.stop.run_until_cancelled(sleep(pause)).await;
        }
    }

    /// Starts an agent and offers it until it is claimed, too old or gone.
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
            // First, so that nobody gets one that is lost.
            why = lost(&mut connection) => Fate::Lost(why),
            Ok(answer) = &mut claimed => match answer.send(connection) {
                Ok(()) => return Fate::Claimed,
                // The claimant has hung up. The id was offered already and is never offered twice, so the agent ends.
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

    /// Waits for the next start.
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

/// Waits until the agent is lost. What it says before that stays for its session.
async fn lost<A: Agent>(connection: &mut AgentConnection<A>) -> String {
    loop {
        connection.next().await;
        if let Some(AgentEvent::Exited { message }) = connection.events.last() {
            return message.clone();
        }
    }
}
