//! What the rest of the service knows of a running session.

use std::{
    borrow::Cow,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{
    layers::resume::{EventLog, EventStream, RingLog},
    proto::{IdempotencyKey, Inbound, NoAnswer, Refused},
};

/// An input on its way to its session.
#[derive(Debug)]
pub(crate) struct Mail {
    pub(crate) input: Inbound,
    pub(crate) key: Option<IdempotencyKey>,
    /// Dropped without a word when the session ends first.
    pub(crate) reply: oneshot::Sender<Result<(), NotTaken>>,
}

/// Why an input was not taken.
#[derive(Clone, Debug)]
pub(crate) enum NotTaken {
    Refused(Refused),
    NoAnswer(NoAnswer),
}

/// A running session: cheap to clone, and what [`Sessions::get`](super::Sessions::get) gives.
///
/// In a stack, the lookup layer puts it into the request's extensions as `Resolved<SessionHandle>`.
pub struct SessionHandle<L: EventLog = RingLog> {
    shared: Arc<Shared<L::Stream>>,
}

pub(crate) struct Shared<S> {
    pub(crate) id: String,
    pub(crate) owner: Option<Arc<str>>,
    pub(crate) cwd: PathBuf,
    pub(crate) created_at: SystemTime,
    pub(crate) stream: S,
    pub(crate) mailbox: mpsc::Sender<Mail>,
    pub(crate) cancel: CancellationToken,
    pub(crate) latest: Mutex<Latest>,
}

/// What a session last told of itself.
#[derive(Debug, Default)]
pub(crate) struct Latest {
    /// The members of `session_state`, without braces.
    pub(crate) note: String,
    /// The newest event that the note takes in.
    pub(crate) as_of: u64,
    pub(crate) model: Option<String>,
    pub(crate) permission_mode: Option<String>,
}

impl Latest {
    pub(crate) fn set_choices(&mut self, model: Option<&str>, permission_mode: Option<&str>) {
        if self.model.as_deref() != model {
            self.model = model.map(str::to_owned);
        }
        if self.permission_mode.as_deref() != permission_mode {
            self.permission_mode = permission_mode.map(str::to_owned);
        }
    }
}

/// A session as `GET /sessions` and `GET /sessions/{id}` show it.
#[derive(Serialize)]
struct Description<'a> {
    session_id: &'a str,
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pending: Option<&'a RawValue>,
    oldest_seq: u64,
    as_of_seq: u64,
    model: Option<&'a str>,
    permission_mode: Option<&'a str>,
    cwd: Cow<'a, str>,
    /// Milliseconds since the epoch.
    created_at: u64,
}

#[derive(Deserialize)]
struct Note<'a> {
    status: &'a str,
    #[serde(borrow)]
    pending: &'a RawValue,
}

impl<L: EventLog> SessionHandle<L> {
    pub(crate) fn new(shared: Shared<L::Stream>) -> Self {
        Self { shared: Arc::new(shared) }
    }

    /// The session's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.shared.id
    }

    /// The name of the principal who made it, if the server knows its callers.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        self.shared.owner.as_deref()
    }

    /// Where its agent works.
    #[must_use]
    pub fn cwd(&self) -> &Path {
        &self.shared.cwd
    }

    /// When it was made.
    #[must_use]
    pub fn created_at(&self) -> SystemTime {
        self.shared.created_at
    }

    /// Its events.
    #[must_use]
    pub fn stream(&self) -> &L::Stream {
        &self.shared.stream
    }

    pub(crate) fn shared(&self) -> &Shared<L::Stream> {
        &self.shared
    }

    /// The session as a JSON object, with its open prompts or without.
    pub(crate) fn describe(&self, with_pending: bool) -> Box<RawValue> {
        let shared = &*self.shared;
        let latest = shared.latest();
        let note = format!("{{{}}}", latest.note);
        let note: Note<'_> = serde_json::from_str(&note).expect("a note has a status and a list of prompts");
        let created_at = shared.created_at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let description = Description {
            session_id: &shared.id,
            status: note.status,
            pending: with_pending.then_some(note.pending),
            oldest_seq: shared.stream.bounds().oldest,
            as_of_seq: latest.as_of,
            model: latest.model.as_deref(),
            permission_mode: latest.permission_mode.as_deref(),
            cwd: shared.cwd.to_string_lossy(),
            created_at: u64::try_from(created_at).unwrap_or(u64::MAX),
        };
        serde_json::value::to_raw_value(&description).expect("made of strings and numbers")
    }
}

impl<S> Shared<S> {
    /// What the session last told. Locked for moments only, never over I/O.
    pub(crate) fn latest(&self) -> std::sync::MutexGuard<'_, Latest> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<L: EventLog> Clone for SessionHandle<L> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<L: EventLog> fmt::Debug for SessionHandle<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionHandle").field("id", &self.id()).field("owner", &self.owner()).finish()
    }
}
