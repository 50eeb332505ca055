//! How many sessions there may be at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::{sync::CancellationToken, task::task_tracker::TaskTrackerToken};

/// Maximum time that a new session waits for the agent of an ended one to be gone.
const WAIT_FOR_ENDED: Duration = Duration::from_secs(12);

/// The places for sessions in memory.
pub(super) struct Slots {
    capacity: Arc<Semaphore>,
    /// Number of ended sessions whose agents are not gone yet.
    ended: Arc<AtomicUsize>,
}

impl Slots {
    pub(super) fn new(max_sessions: usize) -> Self {
        let capacity = Arc::new(Semaphore::new(max_sessions.min(Semaphore::MAX_PERMITS)));
        Self { capacity, ended: Arc::default() }
    }

    /// A place, or `None` if all are taken. Waits only for the agents of sessions that have ended.
    pub(super) async fn take(&self, cancel: CancellationToken, task: TaskTrackerToken) -> Option<Slot> {
        let permit = match Arc::clone(&self.capacity).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) if self.ended.load(Ordering::Relaxed) == 0 => return None,
            Err(_) => {
                let permit = Arc::clone(&self.capacity).acquire_owned();
                tokio::time::timeout(WAIT_FOR_ENDED, permit).await.ok()?.ok()?
            }
        };
        let ended = Ended { count: Arc::clone(&self.ended), counted: false };
        Some(Slot { cancel, ended, _permit: permit, _task: task })
    }
}

/// A session's place among the others, free again once it is dropped.
pub(crate) struct Slot {
    /// Ends the session.
    pub(crate) cancel: CancellationToken,
    ended: Ended,
    _permit: OwnedSemaphorePermit,
    _task: TaskTrackerToken,
}

impl Slot {
    /// Counts the session as ended: only its agent is left.
    pub(crate) fn session_ended(&mut self) {
        if !std::mem::replace(&mut self.ended.counted, true) {
            self.ended.count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

struct Ended {
    count: Arc<AtomicUsize>,
    counted: bool,
}

impl Drop for Ended {
    fn drop(&mut self) {
        if self.counted {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
