//! The sessions of a server: how many there may be, who may see which, and their common end.

use std::{
    collections::HashMap,
    fmt,
    future::{Ready, ready},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::request::Parts;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

use super::{SessionHandle, reply::Failure};
use crate::layers::{
    auth::Principal,
    lookup::{Resolve, Unavailable},
    resume::{EventLog, RingLog},
};

/// So long a new session waits for the agent of one that has ended.
const LEAVING: Duration = Duration::from_secs(12);

/// The running sessions of a service.
///
/// Callers without a name share the sessions that nobody in particular owns; a named caller has their own.
/// To each caller the sessions of all others do not exist.
pub struct Sessions<L: EventLog = RingLog> {
    inner: Arc<Inner<L>>,
}

struct Inner<L: EventLog> {
    log: L,
    table: Mutex<HashMap<String, SessionHandle<L>>>,
    capacity: Arc<Semaphore>,
    /// So many sessions have ended whose agents are not gone.
    leaving: Arc<AtomicUsize>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

impl<L: EventLog> Sessions<L> {
    pub(crate) fn new(log: L, max_sessions: usize) -> Self {
        let inner = Inner {
            log,
            table: Mutex::default(),
            capacity: Arc::new(Semaphore::new(max_sessions.min(Semaphore::MAX_PERMITS))),
            leaving: Arc::default(),
            tasks: TaskTracker::new(),
            shutdown: CancellationToken::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The session of this id, if the caller of this name may see it.
    #[must_use]
    pub fn get(&self, id: &str, caller: Option<&str>) -> Option<SessionHandle<L>> {
        self.table().get(id).filter(|session| session.owner() == caller).cloned()
    }

    /// The caller's sessions, oldest first.
    #[must_use]
    pub fn list(&self, caller: Option<&str>) -> Vec<SessionHandle<L>> {
        let mut sessions: Vec<_> =
            self.table().values().filter(|session| session.owner() == caller).cloned().collect();
        sessions.sort_by(|a, b| (a.created_at(), a.id()).cmp(&(b.created_at(), b.id())));
        sessions
    }

    /// How many sessions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table().len()
    }

    /// There is no session.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends a session of the caller's: its prompts settle and its streams end with `done`. Its agent may
    /// take a while longer. Whatever the id is, the session is not there afterwards.
    pub async fn close(&self, id: &str, caller: Option<&str>) {
        let Some(session) = self.get(id, caller) else { return };
        self.table().remove(id);
        session.shared().cancel.cancel();
        session.shared().mailbox.closed().await;
    }

    /// Ends every session and waits until all of them and their agents are gone. No new one is made from
    /// here on.
    pub async fn shutdown(&self) {
        self.inner.shutdown.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    /// No new sessions are made.
    #[must_use]
    pub fn is_shutting_down(&self) -> bool {
        self.inner.shutdown.is_cancelled()
    }

    pub(crate) fn log(&self) -> &L {
        &self.inner.log
    }

    /// Room for one more session. Waits only for the agents of sessions that have ended.
    pub(crate) async fn reserve(&self) -> Result<Slot, Failure> {
        let inner = &*self.inner;
        // The token comes first: whoever shuts down after the check waits for it.
        let task = inner.tasks.token();
        if self.is_shutting_down() {
            return Err(Failure::unavailable("the server is shutting down"));
        }
        let permit = match Arc::clone(&inner.capacity).try_acquire_owned() {
            Ok(permit) => Some(permit),
            Err(_) if inner.leaving.load(Ordering::Relaxed) == 0 => None,
            Err(_) => {
                let permit = Arc::clone(&inner.capacity).acquire_owned();
                tokio::time::timeout(LEAVING, permit).await.ok().and_then(Result::ok)
            }
        };
        let permit = permit.ok_or_else(|| Failure::unavailable("there are too many sessions"))?;
        Ok(Slot {
            cancel: inner.shutdown.child_token(),
            leaving: Leaving { count: Arc::clone(&inner.leaving), counted: false },
            _permit: permit,
            _task: task,
        })
    }

    /// Makes a session known until the registration is dropped.
    pub(crate) fn register(&self, session: SessionHandle<L>) -> Registration<L> {
        let id = session.id().to_owned();
        self.table().insert(id.clone(), session);
        Registration { sessions: self.clone(), id }
    }

    fn table(&self) -> MutexGuard<'_, HashMap<String, SessionHandle<L>>> {
        self.inner.table.lock().unwrap_or_else(PoisonError::into_inner)
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

impl<L: EventLog> Resolve for Sessions<L> {
    type Value = SessionHandle<L>;
    type Future = Ready<Result<Option<SessionHandle<L>>, Unavailable>>;

    /// The session of this id, if the request's `Principal` may see it.
    fn resolve(&self, id: &str, request: &Parts) -> Self::Future {
        let caller = request.extensions.get::<Principal>().map(|principal| &*principal.name);
        ready(Ok(self.get(id, caller)))
    }
}

/// A session's place among the others, free again once it is dropped.
pub(crate) struct Slot {
    /// Ends the session.
    pub(crate) cancel: CancellationToken,
    leaving: Leaving,
    _permit: OwnedSemaphorePermit,
    _task: TaskTrackerToken,
}

impl Slot {
    /// The session has ended; only its agent is left.
    pub(crate) fn leave(&mut self) {
        if !std::mem::replace(&mut self.leaving.counted, true) {
            self.leaving.count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

struct Leaving {
    count: Arc<AtomicUsize>,
    counted: bool,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        if self.counted {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Dropped: the session is not known any more.
pub(crate) struct Registration<L: EventLog> {
    sessions: Sessions<L>,
    id: String,
}

impl<L: EventLog> Drop for Registration<L> {
    fn drop(&mut self) {
        self.sessions.table().remove(&self.id);
    }
}
