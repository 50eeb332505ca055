//! The sessions of a server: capacity, visibility, and shutdown.

use std::{
    collections::HashMap,
    fmt,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::value::RawValue;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    keyed_lock::KeyedLock,
    ledger::MemoryLedger,
    slots::{Slot, Slots},
};
use crate::{
    agent::SessionSpec,
    layers::resume::{EventLog, RingLog},
    metrics,
    service::{
        error::SessionError,
        limits::Limits,
        notices::Notices,
        policy::Policy,
        registry::leases::Leases,
        session::{
            describe,
            fork::Source,
            live::{Live, LiveSession},
        },
    },
    storage::{
        catalog::{Lease, Page, PageEnd, SessionRecord},
        persistence::Persistence,
    },
    sync::lock,
};

/// Maximum number of walks through directories at once. Each takes up to a second of a blocking thread.
const WALKS: usize = 4;

/// The running sessions of a service.
///
/// Callers without a name share the sessions without an owner. A named caller sees only their own sessions.
///
/// ```
/// use agent_webkit::{Stack, layers::auth::StaticTokens, service::Policy};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let agent = tower::service_fn(|_: agent_webkit::agent::SessionSpec| async {
/// #     let (commands, _) = tokio::sync::mpsc::channel(1);
/// #     let (_, events) = tokio::sync::mpsc::channel(1);
/// #     Ok::<_, std::io::Error>(agent_webkit::agent::AgentIo { commands, events })
/// # });
/// let stack = Stack::builder(agent, Policy::new(["."])?).auth(StaticTokens::default().with("ada", "s3cret")?).build();
/// let sessions = stack.sessions().clone();
///
/// for session in sessions.list(Some("ada")) {
///     println!("{} works in {}", session.id(), session.cwd().display());
/// }
/// assert!(sessions.get("not-there", Some("ada")).is_none());
///
/// // Before the host stops: ends all streams and agents.
/// sessions.shutdown().await;
/// assert!(sessions.is_shutting_down());
/// # Ok(())
/// # }
/// ```
pub struct Sessions<L: EventLog = RingLog> {
    inner: Arc<Inner<L>>,
}

struct Inner<L: EventLog> {
    log: L,
    policy: Policy,
    limits: Limits,
    persistence: Option<Persistence>,
    /// Set once, when the service is built.
    starter: OnceLock<Box<dyn Starter<L>>>,
    /// Set at most once, before the first session.
    notices: OnceLock<Arc<dyn Notices>>,
    table: Mutex<HashMap<Arc<str>, Live<L>>>,
    leases: Arc<Leases>,
    restoring: KeyedLock,
    slots: Slots,
    /// One permit for each walk through a session's directory.
    walks: Semaphore,
    ledger: MemoryLedger,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    background_tasks_started: AtomicBool,
    /// Cancelled when the shutdown is complete.
    over: CancellationToken,
}

/// Starts the tasks of sessions, whichever agent they have.
pub(crate) trait Starter<L: EventLog>: Send + Sync + 'static {
    /// Starts a new session.
    fn create(&self, sessions: Sessions<L>, new: NewAgent<L::Stream>, slot: Slot) -> Started<L>;

    /// Restores a stored session.
    fn restore(&self, sessions: Sessions<L>, owned: Owned, slot: Slot) -> Started<L>;

    /// Keeps agents waiting for new sessions from now on. Further calls do nothing.
    fn start_ahead(&self);
}

/// A started or restored session, whose task runs.
pub(crate) type Started<L> = Pin<Box<dyn Future<Output = Result<Live<L>, SessionError>> + Send>>;

/// A new session, permitted by the policy.
pub(crate) struct NewAgent<S> {
    pub(crate) spec: SessionSpec,
    pub(crate) owner: Option<Arc<str>>,
    pub(crate) title: Option<String>,
    pub(crate) budget_usd: Option<f64>,
    /// The session that it begins as a copy of.
    pub(crate) source: Option<Source<S>>,
}

/// A stored session whose lease this host holds.
pub(crate) struct Owned {
    pub(crate) record: SessionRecord,
    pub(crate) lease: Lease,
}

impl<L: EventLog> Sessions<L> {
    pub(crate) fn new(log: L, policy: Policy, limits: Limits, persistence: Option<Persistence>) -> Self {
        let inner = Inner {
            log,
            policy,
            slots: Slots::new(limits.max_sessions),
            walks: Semaphore::new(WALKS),
            ledger: MemoryLedger::default(),
            limits,
            persistence,
            starter: OnceLock::new(),
            notices: OnceLock::new(),
            table: Mutex::default(),
            leases: Arc::default(),
            restoring: KeyedLock::default(),
            tasks: TaskTracker::new(),
            shutdown: CancellationToken::new(),
            background_tasks_started: AtomicBool::new(false),
            over: CancellationToken::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Builds the spec of a session's agent, with this host's transcript store and policy.
    pub(crate) fn spec(&self, id: impl Into<String>, cwd: impl Into<PathBuf>) -> SessionSpec {
        SessionSpec {
            transcripts: self.persistence().map(|persistence| Arc::clone(&persistence.transcripts)),
            allow_bypass: self.policy().allows_bypass(),
            share_settings: self.policy().shares_approvals(),
            report_cost: self.reports_cost(self.policy().session_budget(None).unwrap_or_default()),
            ..SessionSpec::new(id, cwd)
        }
    }

    /// Sets how the agents of sessions are started.
    pub(crate) fn set_starter(&self, starter: impl Starter<L>) {
        let set = self.inner.starter.set(Box::new(starter));
        assert!(set.is_ok(), "it is set once, when the service is built");
    }

    pub(crate) fn starter(&self) -> &dyn Starter<L> {
        &**self.inner.starter.get().expect("it is set when the service is built")
    }

    /// Sets who is told of the events of sessions.
    #[cfg_attr(not(feature = "webhooks"), expect(dead_code, reason = "webhooks are the only notices"))]
    pub(crate) fn set_notices(&self, notices: Arc<dyn Notices>) {
        let set = self.inner.notices.set(notices);
        assert!(set.is_ok(), "it is set once, when the stack is built");
    }

    pub(crate) fn notices(&self) -> Option<&Arc<dyn Notices>> {
        self.inner.notices.get()
    }

    /// Starts what runs in the background, which needs a runtime. Further calls do nothing.
    pub(crate) fn start_tasks(&self) {
        if let Some(notices) = self.notices() {
            notices.start(self.tasks(), self.ending());
        }
        self.start_background_tasks();
        self.starter().start_ahead();
    }

    /// Returns the caller's sessions that are in memory, oldest first.
    pub(crate) fn live(&self, caller: Option<&str>) -> Vec<Live<L>> {
        let mut sessions: Vec<_> =
            self.table().values().filter(|session| session.is_visible_to(caller)).cloned().collect();
        sessions.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        sessions
    }

    /// Returns the caller's sessions, in memory or stored, oldest first, each as a JSON object.
    pub(crate) async fn describe_all(
        &self,
        caller: Option<&str>,
    ) -> Result<Vec<Box<RawValue>>, SessionError> {
        let Some(persistence) = self.persistence() else {
            let mut described = Vec::new();
            for session in self.live(caller) {
                described.push(session.describe(false).await);
            }
            return Ok(described);
        };
        let stored = persistence.catalog.list(caller).await?;
        Ok(self.describe_each(&stored).await)
    }

    /// Describes a page of the caller's sessions, newest first. Returns where the next page ends too, if there is one.
    pub(crate) async fn describe_page(
        &self,
        caller: Option<&str>,
        page: &Page,
    ) -> Result<(Vec<Box<RawValue>>, Option<PageEnd>), SessionError> {
        let Some(persistence) = self.persistence() else {
            let mut here = self.live(caller);
            here.retain(|session| page.before.as_ref().is_none_or(|end| session.place_in_order() < *end));
            let next = (here.len() > page.limit).then(|| here[here.len() - page.limit].place_in_order());
            let mut described = Vec::new();
            for session in here.iter().rev().take(page.limit) {
                described.push(session.describe(false).await);
            }
            return Ok((described, next));
        };
        let one_more = Page { before: page.before.clone(), limit: page.limit + 1 };
        let mut stored = persistence.catalog.list_page(caller, &one_more).await?;
        let has_more = stored.len() > page.limit;
        stored.truncate(page.limit);
        let next = stored.last().filter(|_| has_more).map(PageEnd::of);
        Ok((self.describe_each(&stored).await, next))
    }

    async fn describe_each(&self, stored: &[SessionRecord]) -> Vec<Box<RawValue>> {
        let mut described = Vec::with_capacity(stored.len());
        for record in stored {
            described.push(match self.in_memory(&record.id) {
                Some(session) => session.describe(false).await,
                None => describe::stored(record, false),
            });
        }
        described
    }

    /// Describes a stored session, with its open prompts, from what is stored.
    pub(crate) async fn describe_stored(&self, id: &str) -> Result<Box<RawValue>, SessionError> {
        let persistence = self.persistence().ok_or(SessionError::NotFound)?;
        let record = persistence.catalog.find(id).await?.ok_or(SessionError::NotFound)?;
        Ok(describe::stored(&record, true))
    }

    /// Number of sessions in memory.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table().len()
    }

    /// Whether no session is in memory.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends and deletes a session of the caller: its prompts settle and its streams end with `done`. Its
    /// agent may take a while longer to end. Does nothing if the caller has no session with this id.
    ///
    /// # Errors
    /// [`SessionError::Unavailable`]: the storage is not available.
    pub async fn remove(&self, id: &str, caller: Option<&str>) -> Result<(), SessionError> {
        let Some(persistence) = self.persistence() else {
            if let Some(session) = self.in_memory(id).filter(|session| session.is_visible_to(caller)) {
                self.end(&session).await;
            }
            return Ok(());
        };
        // Held to the end, so that no request restores the session while it is deleted.
        let _alone = self.restoring().lock(id).await;
        let found = persistence.catalog.find(id).await?;
        let Some(record) = found.filter(|record| record.owner.as_deref() == caller) else { return Ok(()) };
        let mut here = self.in_memory(id);
        if here.is_none() && record.elsewhere && !persistence.catalog.free_if_dead(id).await? {
            if self.close_elsewhere(id).await? {
                return Ok(());
            }
            // A host that does not answer loses the session.
            persistence.catalog.seize(id).await?;
        }
        if here.is_none() && persistence.inbox().is_some_and(|inbox| inbox.wake().is_followed(id)) {
            // Its readers on other hosts, of which this one knows nothing, get its last events.
            here = self.restored(persistence, id).await;
        }
        let mark = |deleted| {
            if let Some(session) = &here {
                session.set_deleted(deleted);
            }
        };
        // Before the tombstone: it makes the session's saves and renewals fail as fenced, and the flag tells
        // the session that no other host has taken it over.
        mark(true);
        if let Err(error) = persistence.catalog.tombstone(id).await {
            mark(false);
            return Err(error.into());
        }
        match here {
            Some(session) => self.end(&session).await,
            None => persistence.erase(self.log(), id).await,
        }
        Ok(())
    }

    /// Whether a stored session was deleted since its row was read.
    pub(crate) async fn is_deleted(&self, id: &str) -> Result<bool, SessionError> {
        match self.persistence() {
            Some(persistence) => Ok(persistence.catalog.find(id).await?.is_none()),
            None => Ok(false),
        }
    }

    /// Deletes what is left of a session that was deleted.
    pub(crate) async fn erase(&self, id: &str) {
        if let Some(persistence) = self.persistence() {
            persistence.erase(self.log(), id).await;
        }
    }

    async fn end(&self, session: &LiveSession<L::Stream>) {
        // Removed first, so that no new request finds a session that is ending.
        self.table().remove(&session.id);
        session.ending.session.cancel();
        session.mailbox.closed().await;
    }

    /// Stops all sessions in this process and waits until they and their agents are gone. No new session is
    /// created from now on. Stored sessions can be restored later or on another host; the others end.
    pub async fn shutdown(&self) {
        self.inner.shutdown.cancel();
        self.log().end_followed();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        self.inner.over.cancel();
    }

    /// Whether the shutdown has begun, so that no new session is created.
    #[must_use]
    pub fn is_shutting_down(&self) -> bool {
        self.inner.shutdown.is_cancelled()
    }

    pub(crate) fn log(&self) -> &L {
        &self.inner.log
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.inner.policy
    }

    pub(crate) fn ledger(&self) -> &MemoryLedger {
        &self.inner.ledger
    }

    /// Whether the agent of a session with this budget has to report costs before the end of a turn.
    pub(crate) fn reports_cost(&self, budget_usd: Option<f64>) -> bool {
        budget_usd.is_some() || self.policy().has_day_budget()
    }

    pub(crate) fn walks(&self) -> &Semaphore {
        &self.inner.walks
    }

    pub(crate) fn retention(&self) -> Option<Duration> {
        self.inner.limits.retention
    }

    pub(crate) fn persistence(&self) -> Option<&Persistence> {
        self.inner.persistence.as_ref()
    }

    pub(crate) fn leases(&self) -> Arc<Leases> {
        Arc::clone(&self.inner.leases)
    }

    pub(crate) fn restoring(&self) -> &KeyedLock {
        &self.inner.restoring
    }

    /// The tasks that the shutdown waits for.
    pub(crate) fn tasks(&self) -> &TaskTracker {
        &self.inner.tasks
    }

    /// Cancelled when the shutdown begins.
    pub(crate) fn ending(&self) -> &CancellationToken {
        &self.inner.shutdown
    }

    /// Returns true on the first call only.
    pub(crate) fn claim_background_tasks(&self) -> bool {
        !self.inner.background_tasks_started.swap(true, Ordering::AcqRel)
    }

    /// Cancelled when the shutdown is complete.
    pub(crate) fn over(&self) -> &CancellationToken {
        &self.inner.over
    }

    pub(crate) fn in_memory(&self, id: &str) -> Option<Live<L>> {
        self.table().get(id).cloned()
    }

    /// Reserves a slot for one more session. Waits only while agents of ended sessions are ending.
    pub(crate) async fn reserve(&self) -> Result<Slot, SessionError> {
        let inner = &*self.inner;
        // The token comes before the check, so that a shutdown that begins after the check waits for it.
        let task = inner.tasks.token();
        if self.is_shutting_down() {
            return Err(SessionError::unavailable("the server is shutting down"));
        }
        inner.slots.take(inner.shutdown.child_token(), task).await.ok_or_else(|| {
            metrics::session_refused();
            SessionError::unavailable("there are too many sessions")
        })
    }

    /// Adds a session to the registry until the registration is dropped.
    pub(crate) fn register(&self, session: Live<L>) -> Registration<L> {
        let id = Arc::clone(&session.id);
        self.table().insert(Arc::clone(&id), session);
        Registration { sessions: self.clone(), id }
    }

    fn table(&self) -> MutexGuard<'_, HashMap<Arc<str>, Live<L>>> {
        lock(&self.inner.table)
    }
}

impl<L: EventLog> Clone for Sessions<L> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<L: EventLog> fmt::Debug for Sessions<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// A session's entry in the registry, removed when dropped.
pub(crate) struct Registration<L: EventLog> {
    sessions: Sessions<L>,
    id: Arc<str>,
}

impl<L: EventLog> Drop for Registration<L> {
    fn drop(&mut self) {
        self.sessions.table().remove(&self.id);
    }
}
