//! The beginning of a session on this host: created, or restored from storage.

use std::{
    collections::BTreeMap,
    iter,
    sync::{Arc, OnceLock, atomic::AtomicBool},
    time::SystemTime,
};

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::watch;

use super::{Driver, accounts::Recorded, now};
use crate::{
    agent::{Agent, SessionSpec, UnknownProfile},
    error_text::with_sources,
    layers::resume::{Cursor, EventLog, EventStream, Tail},
    metrics::{Begun, SessionMetrics},
    proto::{Note, Session, SessionConfig, WhenIdle},
    service::{
        error::SessionError,
        limits::Limits,
        registry::{
            sessions::{NewAgent, Owned, Sessions},
            slots::Slot,
        },
        session::{
            connection::{AgentConnection, AgentUpdate},
            lease_guard::LeaseGuard,
            live::{Ending, Latest, LiveSession},
            mailbox::mailbox,
            stream_end::ReleasedOnDrop,
        },
    },
    storage::catalog::{Lease, SessionMetadata, SessionRecord},
    unix_ms,
};

/// Capacity of a session's mailbox.
const MAILBOX: usize = 256;

/// The parts of a driver.
pub(super) struct Parts<A, L: EventLog> {
    pub(super) session: Session,
    pub(super) spec: SessionSpec,
    pub(super) owner: Option<Arc<str>>,
    pub(super) title: Option<String>,
    pub(super) created_at: SystemTime,
    pub(super) connection: AgentConnection<A>,
    pub(super) stream: L::Stream,
    pub(super) stored: Option<(Lease, SessionMetadata)>,
}

impl<A: Agent, L: EventLog> Driver<A, L> {
    /// Starts a session around an agent that runs or is starting. On return the event log holds `session_ready` and the
    /// session is registered.
    pub(crate) async fn start(
        mut new: NewAgent<L::Stream>,
        mut connection: AgentConnection<A>,
        sessions: &Sessions<L>,
        slot: Slot,
    ) -> Result<Box<Self>, SessionError> {
        if let Some(source) = new.source.take() {
            return Box::pin(Self::start_fork(new, source, connection, sessions, slot)).await;
        }
        let (spec, owner, title) = (new.spec, new.owner, new.title);
        if let Err(error) = up(&mut connection, &slot).await {
            connection.gone().await;
            return Err(error);
        }
        let created_at = SystemTime::now();
        let stored = new_row(&spec, owner.as_deref(), title.as_deref(), created_at, sessions).await?;
        let stream = open(sessions.log(), &spec.session_id).await?;
        let now = now();
        let config = config(&spec, sessions.limits(), new.budget_usd, stored.is_some());
        let mut session = Session::new(config, now);
        session.handle_started(now);
        let parts = Parts { session, spec, owner, title, created_at, connection, stream, stored };
        Self::assemble(parts, sessions, slot).begin(sessions, Begun::Created).await
    }

    /// Restores a stored session, without an agent until one is needed. On return the session is registered,
    /// and turns, prompts and tasks that were interrupted have ended.
    pub(crate) async fn restore(
        owned: Owned,
        agent: A,
        sessions: &Sessions<L>,
        slot: Slot,
    ) -> Result<Box<Self>, SessionError> {
        let Owned { record, lease } = owned;
        let spec = SessionSpec {
            owner: record.owner.as_deref().map(Into::into),
            profile: record.profile.clone(),
            model: record.metadata.model.clone(),
            permission_mode: record.metadata.permission_mode.clone(),
            resume: true,
            ..sessions.spec(record.id.clone(), &record.cwd)
        };
        let stream = open(sessions.log(), &record.id).await?;
        if stream.bounds().last == 0 && sessions.is_deleted(&record.id).await? {
            // The stream is a new one, in the place of the deleted one.
            drop(ReleasedOnDrop(stream));
            sessions.erase(&record.id).await;
            return Err(SessionError::NotFound);
        }
        // A budget of its own is in the note.
        let budget_usd = sessions.policy().session_budget(None).unwrap_or_default();
        let config = config(&spec, sessions.limits(), budget_usd, true);
        let session = match stream.bounds().last {
            0 => Session::dormant(config, now()),
            last => {
                let tail = stream.tail(Cursor::After(last)).await.map_err(|error| {
                    tracing::error!(session = record.id, error = with_sources(&error), "note cannot be read");
                    SessionError::unavailable("the event log cannot be read now")
                })?;
                let note = tail.attached().note.clone().unwrap_or_default();
                drop(tail);
                let note = Note::decode(&String::from_utf8_lossy(&note));
                let queued = queued(&stream, &note).await?;
                Session::restore(config, note, queued, now())
            }
        };
        let parts = Parts {
            session,
            owner: record.owner.map(Into::into),
            title: record.metadata.title.clone(),
            created_at: unix_ms::time(record.created_at_ms.unsigned_abs()),
            connection: AgentConnection::new(agent),
            stream,
            stored: Some((lease, record.metadata)),
            spec,
        };
        Self::assemble(parts, sessions, slot).begin(sessions, Begun::Restored).await
    }

    pub(super) fn assemble(parts: Parts<A, L>, sessions: &Sessions<L>, slot: Slot) -> Box<Self> {
        let Parts { mut session, spec, owner, title, created_at, connection, stream, stored } = parts;
        session.set_time_of_day(now(), unix_ms::now());
        let (mail, mailbox) = mailbox(MAILBOX);
        let deleted = stored.is_some().then(Arc::default);
        let last = stream.bounds().last;
        let (covers, covered) = watch::channel(last);
        let live = Arc::new(LiveSession {
            id: spec.session_id.into(),
            owner,
            cwd: spec.cwd,
            profile: spec.profile,
            created_at,
            stream: stream.clone(),
            mailbox: mail,
            ending: Ending { session: slot.cancel.clone(), server: sessions.ending().clone() },
            deleted: deleted.clone(),
            latest: Latest { as_of: last, ..Latest::default() }.into(),
            covered,
            unwatched: AtomicBool::new(false),
            end: OnceLock::new(),
        });
        let kept = stored.zip(deleted).zip(sessions.persistence());
        let lease_guard = kept.map(|(((lease, saved), deleted), persistence)| {
            Box::new(LeaseGuard::new(persistence.clone(), sessions.leases(), lease, saved, deleted))
        });
        Box::new(Self {
            session,
            connection,
            stream: ReleasedOnDrop(stream),
            mailbox,
            replies: Vec::new(),
            asked: BTreeMap::new(),
            looks: BTreeMap::new(),
            covers,
            registration: None,
            lease_guard,
            title,
            recorded: Recorded::default(),
            may_leave: false,
            fenced: false,
            sessions: sessions.clone(),
            live,
            metrics: SessionMetrics::new(),
            slot,
        })
    }

    /// Appends the first events to the event log and then registers the session, so that readers who find the
    /// session find its first events.
    pub(super) async fn begin(
        mut self: Box<Self>,
        sessions: &Sessions<L>,
        how: Begun,
    ) -> Result<Box<Self>, SessionError> {
        self.metrics.begun(how);
        if let std::ops::ControlFlow::Break(end) = self.settle().await {
            self.finish(end).await;
            return Err(SessionError::unavailable("the event log cannot be written now"));
        }
        tracing::info!(session = &*self.live.id, cwd = %self.live.cwd.display(), "session started");
        self.registration = Some(sessions.register(Arc::clone(&self.live)));
        // The agent may have sent events before the session was registered.
        self.hear(AgentUpdate::Events);
        Ok(self)
    }
}

/// Waits until the agent has started.
pub(super) async fn up<A: Agent>(
    connection: &mut AgentConnection<A>,
    slot: &Slot,
) -> Result<(), SessionError> {
    match slot.cancel.run_until_cancelled(connection.up()).await {
        Some(Err(error)) => Err(not_started(&*error)),
        Some(Ok(())) => Ok(()),
        None => Err(SessionError::unavailable("the server is shutting down")),
    }
}

/// Stores the row of a new session, if sessions are stored.
pub(super) async fn new_row<L: EventLog>(
    spec: &SessionSpec,
    owner: Option<&str>,
    title: Option<&str>,
    created_at: SystemTime,
    sessions: &Sessions<L>,
) -> Result<Option<(Lease, SessionMetadata)>, SessionError> {
    let Some(persistence) = sessions.persistence() else { return Ok(None) };
    let mut record = new_record(spec, owner, created_at);
    record.metadata.title = title.map(str::to_owned);
    let lease = persistence.catalog.create(&record).await?;
    Ok(Some((lease, record.metadata)))
}

fn not_started(error: &(dyn std::error::Error + 'static)) -> SessionError {
    let unknown =
        iter::successors(Some(error), |error| error.source()).find_map(<dyn std::error::Error>::downcast_ref);
    match unknown {
        Some(UnknownProfile(name)) => SessionError::unprocessable(UnknownProfile(name.clone()).to_string()),
        None => SessionError::unavailable(format!("the agent could not be started: {}", with_sources(error))),
    }
}

fn new_record(spec: &SessionSpec, owner: Option<&str>, created_at: SystemTime) -> SessionRecord {
    let mut record = SessionRecord::new(&spec.session_id, owner, &spec.cwd, created_at);
    record.profile.clone_from(&spec.profile);
    record.metadata.model.clone_from(&spec.model);
    record.metadata.permission_mode.clone_from(&spec.permission_mode);
    record
}

pub(super) async fn open<L: EventLog>(log: &L, id: &str) -> Result<L::Stream, SessionError> {
    log.open(id).await.map_err(|error| {
        tracing::error!(session = id, error = with_sources(&error), "failed to open the event log");
        SessionError::unavailable("the event log cannot be opened now")
    })
}

/// The contents of the queued messages. Each was appended as a `user_message` event when it was accepted.
async fn queued(
    stream: &impl EventStream,
    note: &Note,
) -> Result<Vec<(String, Box<RawValue>)>, SessionError> {
    let (queued, span) = note.memo.as_ref().map_or((&[][..], 0), |memo| (&memo.queued, memo.queued_span));
    if queued.is_empty() {
        return Ok(Vec::new());
    }
    // The queue is first in, first out: messages accepted after a queued one are queued too, or were withdrawn.
    let newest = stream.newest("user_message", span).await.map_err(|error| {
        tracing::error!(error = with_sources(&error), "failed to read the queued messages");
        SessionError::unavailable("the event log cannot be read now")
    })?;
    let messages = newest.iter().filter_map(|event| serde_json::from_slice::<UserMessage>(&event.data).ok());
    let messages = messages.map(|message| (message.message_uuid, message.content));
    Ok(messages.filter(|(uuid, _)| queued.contains(uuid)).collect())
}

#[derive(Deserialize)]
struct UserMessage {
    content: Box<RawValue>,
    message_uuid: String,
}

pub(super) fn config(
    spec: &SessionSpec,
    limits: &Limits,
    budget_usd: Option<f64>,
    persistent: bool,
) -> SessionConfig {
    SessionConfig {
        session_id: spec.session_id.clone(),
        model: spec.model.clone(),
        permission_mode: spec.permission_mode.clone(),
        idle_timeout: limits.idle_timeout,
        when_idle: if persistent { WhenIdle::Release } else { WhenIdle::Close },
        hibernate_after: limits.hibernate_after,
        queue_limit: limits.queue,
        budget_usd,
    }
}
