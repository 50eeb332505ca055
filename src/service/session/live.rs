//! A session in memory, as the rest of the service sees it.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::SystemTime,
};

use serde_json::value::RawValue;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::{describe::Description, mailbox, receipt::Reply};
use crate::{
    layers::resume::{EventLog, EventStream},
    proto::{Exceeded, IdempotencyKey, Inbound, Look, NoAnswer, Note, Refused},
    storage::catalog::PageEnd,
    sync::lock,
    unix_ms,
};

/// What is in the mailbox of a session. A reply is dropped without a value if the session ends first.
#[derive(Debug)]
pub(crate) enum Mail {
    Input {
        input: Inbound,
        key: Option<IdempotencyKey>,
        /// The day's budget that was used up when it came.
        exceeded: Option<Exceeded>,
        reply: Reply<Taken>,
    },
    Look {
        look: Look,
        reply: oneshot::Sender<Found>,
    },
    /// A reader came while [`LiveSession::unwatched`] was set.
    Reader,
}

impl Mail {
    /// Answers that the session has left memory.
    pub(crate) fn release(self) {
        match self {
            Self::Input { reply, .. } => drop(reply.send(Err(NotTaken::Released))),
            Self::Look { reply, .. } => drop(reply.send(Err(NotTaken::Released))),
            Self::Reader => {}
        }
    }
}

/// The outcome of a look at the agent.
pub(crate) type Found = Result<Box<RawValue>, NotTaken>;

/// The outcome of an input: the uuid of the message, if it is a user's message.
pub(crate) type Taken = Result<Option<String>, NotTaken>;

/// Why a session did not handle an input.
#[derive(Clone, Debug)]
pub(crate) enum NotTaken {
    Refused(Refused),
    NoAnswer(NoAnswer),
    /// There is no agent to look at.
    Asleep,
    /// The session left memory before it handled the input.
    Released,
}

impl NotTaken {
    pub(crate) fn is_released(&self) -> bool {
        matches!(self, Self::Released)
    }
}

/// A session in memory: what its task shares with those who use it.
pub(crate) struct LiveSession<S> {
    pub(crate) id: Arc<str>,
    pub(crate) owner: Option<Arc<str>>,
    pub(crate) cwd: PathBuf,
    pub(crate) profile: Option<String>,
    pub(crate) created_at: SystemTime,
    pub(crate) stream: S,
    pub(crate) mailbox: mailbox::Sender<Mail>,
    pub(crate) ending: Ending,
    /// `Some` for a stored session: whether a client has deleted it.
    pub(crate) deleted: Option<Arc<AtomicBool>>,
    pub(crate) latest: Mutex<Latest>,
    /// The sequence number of the newest event that `latest` covers. Readers receive an event a moment before.
    pub(crate) covered: watch::Receiver<u64>,
    /// Whether the agent was told that nobody reads: the next reader takes it back.
    pub(crate) unwatched: AtomicBool,
    /// Why it ended on this host. Set before its stream ends.
    pub(crate) end: OnceLock<End>,
}

/// A session in memory, with its events in this event log.
pub(crate) type Live<L> = Arc<LiveSession<<L as EventLog>::Stream>>;

/// Why a session ends on this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The session is over: `done` was sent.
    Closed,
    /// The session is not needed in memory.
    Released,
    /// The server stops; the session continues in another one.
    Suspended,
    /// Another host holds the lease.
    Fenced,
    /// The event log accepts no more events.
    LogLost,
}

/// Tells the readers of a session why it ends.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    /// Cancelled when the session is to end, also with the server.
    pub(crate) session: CancellationToken,
    /// Cancelled when the server shuts down.
    pub(crate) server: CancellationToken,
}

/// The latest state of a session, from which it is described.
#[derive(Debug)]
pub(crate) struct Latest {
    /// Without its memo. `None` before the first event.
    pub(crate) note: Option<Note>,
    /// The sequence number of the newest event that the note covers.
    pub(crate) as_of: u64,
    pub(crate) model: Option<String>,
    pub(crate) permission_mode: Option<String>,
    pub(crate) title: Option<String>,
    /// What the session may cost, in US dollars.
    pub(crate) budget_usd: Option<f64>,
    pub(crate) active_at: SystemTime,
}

impl Default for Latest {
    fn default() -> Self {
        Self {
            note: None,
            as_of: 0,
            model: None,
            permission_mode: None,
            title: None,
            budget_usd: None,
            active_at: SystemTime::now(),
        }
    }
}

impl Latest {
    pub(crate) fn set_title(&mut self, title: Option<&str>) {
        if self.title.as_deref() != title {
            self.title = title.map(str::to_owned);
        }
    }

    pub(crate) fn set_choices(&mut self, model: Option<&str>, permission_mode: Option<&str>) {
        if self.model.as_deref() != model {
            self.model = model.map(str::to_owned);
        }
        if self.permission_mode.as_deref() != permission_mode {
            self.permission_mode = permission_mode.map(str::to_owned);
        }
    }
}

impl<S: EventStream> LiveSession<S> {
    /// Describes the session as a JSON object, with its open prompts only if `with_pending`. The description covers
    /// all events that a reader may have received before the call.
    pub(crate) async fn describe(&self, with_pending: bool) -> Box<RawValue> {
        let last = self.stream.bounds().last;
        // An error: the session has ended, and its state stays as it is.
        let _ = self.covered.clone().wait_for(|covered| *covered >= last).await;
        let latest = self.latest();
        let note = latest.note.as_ref();
        Description {
            session_id: &self.id,
            oldest_seq: self.stream.bounds().oldest,
            as_of_seq: latest.as_of,
            model: latest.model.as_deref(),
            permission_mode: latest.permission_mode.as_deref(),
            cwd: self.cwd.to_string_lossy(),
            title: latest.title.as_deref(),
            created_at: unix_ms::of(self.created_at),
            active_at: unix_ms::of(latest.active_at),
            pending: note.map(|note| &*note.pending).filter(|_| with_pending),
            session_cost_usd: note.map(|note| note.session_cost_usd),
            budget_usd: latest.budget_usd,
            status: note.map(|note| note.status),
        }
        .to_json()
    }
}

impl<S> LiveSession<S> {
    /// Whether the caller with this name owns it.
    pub(crate) fn is_visible_to(&self, caller: Option<&str>) -> bool {
        self.owner.as_deref() == caller
    }

    /// Its place in the order of lists.
    pub(crate) fn place_in_order(&self) -> PageEnd {
        PageEnd { created_at_ms: unix_ms::signed(self.created_at), id: self.id.to_string() }
    }

    /// Whether the session is stored, so that it can be restored after it has left memory.
    pub(crate) fn outlives(&self) -> bool {
        self.deleted.is_some()
    }

    pub(crate) fn is_deleted(&self) -> bool {
        self.deleted.as_ref().is_some_and(|deleted| deleted.load(Ordering::Acquire))
    }

    pub(crate) fn set_deleted(&self, is: bool) {
        if let Some(deleted) = &self.deleted {
            deleted.store(is, Ordering::Release);
        }
    }

    /// Tells the session's task that a reader has come, if it has to know.
    pub(crate) fn reader_came(&self) {
        if self.unwatched.swap(false, Ordering::AcqRel) {
            // With a full mailbox the task is at work, and looks for readers with its next events.
            let _ = self.mailbox.send(Mail::Reader);
        }
    }

    /// The latest state. The lock must not be held across an await.
    pub(crate) fn latest(&self) -> std::sync::MutexGuard<'_, Latest> {
        lock(&self.latest)
    }
}
