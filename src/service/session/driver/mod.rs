//! The task of a session: it connects the state machine, the agent and the event log.

mod accounts;
mod begin;
mod end;
mod forking;

use std::{
    collections::BTreeMap,
    ops::ControlFlow,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant, SystemTime},
};

use tokio::{
    sync::{oneshot, watch},
    time::Sleep,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::accounts::Recorded;
use super::{
    connection::{AgentConnection, AgentUpdate, Stuck},
    lease_guard::{Fenced, LeaseGuard},
    live::{End, Found, LiveSession, Mail, NotTaken, Taken},
    mailbox,
    receipt::Reply,
    stream_end::ReleasedOnDrop,
    title,
};
use crate::{
    agent::{Agent, SessionSpec},
    error_text::with_sources,
    layers::resume::{AppendError, Batch, Event, EventLog, EventStream},
    metrics::SessionMetrics,
    proto::{
        Accepted, AgentCommand, AgentEvent, Decision, IdempotencyKey, Inbound, Look, Looked, Note, Output,
        Presence, Session,
    },
    service::{
        notices::Noticed,
        registry::{
            sessions::{Registration, Sessions},
            slots::Slot,
        },
    },
    storage::catalog::SessionMetadata,
    unix_ms,
};

/// A session and everything it owns. Dropping it at any point releases the stream and removes the session
/// from the registry.
pub(crate) struct Driver<A, L: EventLog> {
    session: Session,
    connection: AgentConnection<A>,
    stream: ReleasedOnDrop<L::Stream>,
    live: Arc<LiveSession<L::Stream>>,
    mailbox: mailbox::Receiver<Mail>,
    /// The outcomes of inputs, sent once the events that the inputs caused are in the event log.
    replies: Vec<Answer>,
    /// The inputs that wait for the agent's answer, by request id.
    asked: BTreeMap<u64, Reply<Taken>>,
    /// The looks that wait for the agent's answer, by request id.
    looks: BTreeMap<u64, oneshot::Sender<Found>>,
    /// Tells those who describe the session which events its latest state covers.
    covers: watch::Sender<u64>,
    /// Set once the first events are in the event log.
    registration: Option<Registration<L>>,
    /// Set for a stored session.
    lease_guard: Option<Box<LeaseGuard>>,
    title: Option<String>,
    recorded: Recorded,
    /// Whether the session may leave memory: set by [`Output::Release`], cleared by an input.
    may_leave: bool,
    /// Whether the agent reported [`AgentEvent::Fenced`].
    fenced: bool,
    sessions: Sessions<L>,
    metrics: SessionMetrics,
    slot: Slot,
}

/// The answer to an input that was taken.
struct Answer {
    reply: Reply<Taken>,
    outcome: Taken,
    /// A user's message, which is withdrawn if the request no longer waits.
    message: Option<Message>,
}

struct Message {
    uuid: String,
    key: Option<IdempotencyKey>,
}

impl<A: Agent, L: EventLog> Driver<A, L> {
    pub(crate) fn live(&self) -> &Arc<LiveSession<L::Stream>> {
        &self.live
    }

    /// Ends the session as soon as its task runs.
    pub(crate) fn cancel(&self) {
        self.slot.cancel.cancel();
    }

    /// Runs the session until it has ended and its agent is gone.
    ///
    /// Rare and short futures are boxed: a task takes the memory of its largest future for as long as the
    /// session lives.
    pub(crate) async fn run(mut self: Box<Self>) {
        let fenced = self.lease_guard.as_ref().map(|lease_guard| lease_guard.fenced().clone());
        let end = match fenced {
            Some(fenced) => Box::pin(self.converse_unless(fenced)).await,
            None => self.converse().await,
        };
        Box::pin(self.finish(end)).await;
    }

    async fn converse_unless(&mut self, fenced: CancellationToken) -> End {
        fenced.run_until_cancelled(self.converse()).await.unwrap_or(End::Fenced)
    }

    async fn converse(&mut self) -> End {
        let timer = tokio::time::sleep(Duration::ZERO);
        tokio::pin!(timer);
        let mut closing = false;
        loop {
            // The tombstone of a deleted session fences its agent, too. That session ends with `done`
            // instead.
            if self.fenced && self.outlives() {
                return End::Fenced;
            }
            if let ControlFlow::Break(end) = Box::pin(self.settle()).await {
                return end;
            }
            if self.leaves() {
                return End::Released;
            }
            let is_timed = self.set(timer.as_mut());
            // Every branch is cancel safe: no input and no agent event is lost when another branch completes
            // first.
            tokio::select! {
                () = self.slot.cancel.cancelled(), if !closing => {
                    closing = true;
                    if self.outlives() { self.session.suspend() } else { self.session.close() }
                }
                mails = self.mailbox.recv_all() => {
                    for mail in mails {
                        match mail {
                            Mail::Input { input, key, exceeded, reply } => {
                                if let Some(exceeded) = exceeded {
                                    self.session.exceed(now(), exceeded);
                                }
                                self.take(input, key, reply);
                            }
                            Mail::Look { look, reply } => self.look(look, reply),
                            Mail::Reader => self.note_presence(),
                        }
                    }
                }
                update = self.connection.next() => self.hear(update),
                () = &mut timer, if is_timed => {
                    let (now, presence) = (now(), self.presence());
                    // The time of day may have been set.
                    self.session.set_time_of_day(now, unix_ms::now());
                    self.session.handle_timeout(now, presence);
                }
            }
        }
    }

    /// Sets the timer to the session's next timeout, or to when its row is to be saved again. Returns whether there
    /// is one.
    fn set(&self, timer: Pin<&mut Sleep>) -> bool {
        let retry = self.lease_guard.as_ref().and_then(|lease_guard| lease_guard.retries_at());
        let due = self.session.poll_timeout().map(Into::into);
        let Some(due) = [due, retry, self.recorded.retry_at].into_iter().flatten().min() else {
            return false;
        };
        if due != timer.deadline() {
            timer.reset(due);
        }
        true
    }

    fn note_presence(&mut self) {
        let presence = self.presence();
        self.session.handle_presence(now(), presence);
    }

    fn presence(&self) -> Presence {
        let readers = self.stream.0.readers();
        Presence { readers: readers.attached, last_detached: readers.last_detached }
    }

    /// Whether nothing keeps the session in memory any more.
    fn leaves(&self) -> bool {
        self.may_leave
            && self.connection.is_absent()
            && self.mailbox.is_empty()
            && self.presence().readers == 0
    }

    /// Whether the session continues elsewhere after it ends here: it is stored and not deleted.
    fn outlives(&self) -> bool {
        self.lease_guard.is_some() && !self.live.is_deleted()
    }

    fn take(&mut self, input: Inbound, key: Option<IdempotencyKey>, reply: Reply<Taken>) {
        self.may_leave = false;
        if !reply.take() {
            return;
        }
        if self.title.is_none() {
            self.title = title::of(&input);
        }
        let (chosen, is_message) = match &input {
            Inbound::UserMessage { message_uuid, .. } => (message_uuid.clone(), true),
            _ => (None, false),
        };
        let uuid = chosen.unwrap_or_else(|| Uuid::new_v4().to_string());
        let message = is_message.then(|| Message { uuid: uuid.clone(), key: key.clone() });
        let answer = match self.session.handle_input(now(), input, key, uuid) {
            Ok(Accepted::Done) => {
                let uuid = message.as_ref().map(|message| message.uuid.clone());
                Answer { reply, outcome: Ok(uuid), message }
            }
            Ok(Accepted::Repeated(uuid)) => Answer { reply, outcome: Ok(uuid), message: None },
            Ok(Accepted::Asked(request)) => {
                self.asked.insert(request, reply);
                return;
            }
            Err(refused) => Answer { reply, outcome: Err(NotTaken::Refused(refused)), message: None },
        };
        self.replies.push(answer);
    }

    fn look(&mut self, look: Look, reply: oneshot::Sender<Found>) {
        let found = match self.session.look(look) {
            Ok(Looked::Known(found)) => Ok(found),
            Ok(Looked::Asked(request)) => {
                self.looks.insert(request, reply);
                return;
            }
            Ok(Looked::Asleep) => Err(NotTaken::Asleep),
            Err(refused) => Err(NotTaken::Refused(refused)),
        };
        // Fails if the client has hung up.
        let _ = reply.send(found);
    }

    fn hear(&mut self, update: AgentUpdate) {
        let now = now();
        match update {
            AgentUpdate::Started(Ok(())) => self.session.handle_started(now),
            AgentUpdate::Started(Err(error)) => self.session.handle_start_failed(now, &with_sources(&*error)),
            AgentUpdate::Events => {
                self.fenced |= self.connection.events.iter().any(|event| matches!(event, AgentEvent::Fenced));
                // `take` frees the buffer as well: a session is idle most of the time.
                for event in std::mem::take(&mut self.connection.events) {
                    self.session.handle_agent(now, event);
                }
                self.note_presence();
            }
            AgentUpdate::Gone => {}
        }
    }

    /// Performs the session's outputs until there are none. Breaks when the session ends here.
    ///
    /// Events are appended before commands and replies are sent: a client that has its reply finds the events
    /// of its input in the event log.
    async fn settle(&mut self) -> ControlFlow<End> {
        loop {
            let mut batch = Batch::default();
            let mut rest = Vec::new();
            while let Some(output) = self.session.poll_output() {
                match output {
                    Output::Event(event) => {
                        batch.events.push(Event { name: event.name.into(), data: event.data.into() });
                    }
                    other => rest.push(other),
                }
            }
            self.publish(batch).await?;
            let withdrawn = self.answer(&mut rest);
            self.save().await?;
            let stopped = Box::pin(self.account()).await?;
            if rest.is_empty() && !withdrawn && !stopped {
                self.measure();
                return ControlFlow::Continue(());
            }
            for output in rest {
                self.perform(output)?;
            }
        }
    }

    /// Answers the inputs whose events are in the log by now. Takes back the messages whose requests were answered
    /// meanwhile that they do not run; returns whether there were any.
    fn answer(&mut self, rest: &mut Vec<Output>) -> bool {
        let mut withdrawn = false;
        for Answer { reply, outcome, message } in self.replies.drain(..) {
            if let (false, Some(Message { uuid, key })) = (reply.send(outcome), message) {
                rest.retain(|output| {
                    !matches!(output, Output::Command(AgentCommand::User { message_uuid, .. }) if *message_uuid == uuid)
                });
                self.session.withdraw(&uuid, key.as_ref());
                withdrawn = true;
            }
        }
        withdrawn
    }

    fn measure(&mut self) {
        self.metrics.queued(self.session.queued());
        if self.session.is_in_turn() {
            self.metrics.turn_began();
        }
    }

    /// Appends the batch and the changed note to the event log, in one write.
    async fn publish(&mut self, mut batch: Batch) -> ControlFlow<End> {
        let note = self.session.take_note();
        {
            let mut latest = self.live.latest();
            latest.set_choices(self.session.model(), self.session.permission_mode());
            latest.budget_usd = self.session.budget_usd();
        }
        if batch.events.is_empty() && note.is_none() {
            return ControlFlow::Continue(());
        }
        batch.note = note.as_ref().map(|note| note.encode().into());
        for event in &batch.events {
            self.metrics.event(&event.name, &event.data);
        }
        let notices = self.sessions.notices().cloned();
        if let Some(notices) = &notices {
            let (title, live) = (self.title.as_deref(), &self.live);
            let of = Noticed { id: &live.id, owner: live.owner.as_deref(), title, cwd: &live.cwd };
            batch.outbox = notices.records(&of, &batch.events);
        }
        let records = batch.outbox.clone();
        let (events, since) = (batch.events.len(), Instant::now());
        let seqs = match self.stream.0.append(batch).await {
            Ok(seqs) => seqs,
            Err(AppendError::Fenced) => return ControlFlow::Break(End::Fenced),
            Err(error) => {
                let error = with_sources(&error);
                tracing::error!(session = &*self.live.id, error, "failed to append to the event log");
                return ControlFlow::Break(End::LogLost);
            }
        };
        self.metrics.appended(events, since.elapsed());
        if let Some(notices) = notices.filter(|_| !records.is_empty()) {
            notices.stored(records);
        }
        let mut latest = self.live.latest();
        if let Some(note) = note {
            latest.note = Some(Note { memo: None, ..note });
        }
        if !seqs.is_empty() {
            latest.as_of = *seqs.end();
            latest.active_at = SystemTime::now();
        }
        let covers = latest.as_of;
        drop(latest);
        self.covers.send_replace(covers);
        ControlFlow::Continue(())
    }

    /// Saves the session's metadata in the catalog.
    async fn save(&mut self) -> ControlFlow<End> {
        self.live.latest().set_title(self.title.as_deref());
        let Some(lease_guard) = &mut self.lease_guard else { return ControlFlow::Continue(()) };
        let metadata = SessionMetadata {
            model: self.session.model().map(str::to_owned),
            permission_mode: self.session.permission_mode().map(str::to_owned),
            title: self.title.clone(),
            status: self.session.status().as_str().to_owned(),
            wakes_at_ms: self.session.wakes_at_ms().map(|at| i64::try_from(at).unwrap_or(i64::MAX)),
        };
        match Box::pin(lease_guard.save(metadata)).await {
            Ok(()) => ControlFlow::Continue(()),
            Err(Fenced) => ControlFlow::Break(End::Fenced),
        }
    }

    fn perform(&mut self, output: Output) -> ControlFlow<End> {
        match output {
            Output::Start {
                model,
                permission_mode,
                mode_before_plan,
                effort,
                permissions,
                open_prompts,
                wakeups,
            } => {
                let (id, cwd) = (&*self.live.id, &self.live.cwd);
                let spec = SessionSpec {
                    owner: self.live.owner.clone(),
                    profile: self.live.profile.clone(),
                    model,
                    permission_mode,
                    mode_before_plan,
                    effort,
                    permissions,
                    open_prompts,
                    wakeups,
                    report_cost: self.sessions.reports_cost(self.session.budget_usd()),
                    resume: true,
                    ..self.sessions.spec(id, cwd)
                };
                // The policy may have changed since the session was created.
                match self.sessions.policy().check_directory(&spec.cwd) {
                    Ok(()) => self.connection.start(spec),
                    Err(denied) => self.session.handle_start_failed(now(), &denied.to_string()),
                }
            }
            Output::Command(command) => self.tell(command),
            Output::Stop => self.connection.retire(),
            Output::Release => self.may_leave = self.lease_guard.is_some(),
            Output::Answer { request, outcome } => {
                if let Some(reply) = self.asked.remove(&request) {
                    reply.send(outcome.map(|()| None).map_err(NotTaken::NoAnswer));
                }
            }
            Output::Looked { request, outcome } => {
                if let Some(reply) = self.looks.remove(&request) {
                    let _ = reply.send(outcome.map_err(NotTaken::NoAnswer));
                }
            }
            Output::Closed if self.outlives() => return ControlFlow::Break(End::Suspended),
            Output::Closed => return ControlFlow::Break(End::Closed),
            Output::Event(_) => {}
        }
        ControlFlow::Continue(())
    }

    fn tell(&mut self, command: AgentCommand) {
        if interrupts(&command) {
            self.metrics.turn_interrupted();
        }
        if let AgentCommand::Watched { watched: false } = command {
            // A reader that came before this is seen by the look after it, and a later one takes it back.
            self.live.unwatched.store(true, Ordering::Release);
            self.note_presence();
        }
        if let Err(Stuck) = self.connection.send(command) {
            self.connection.retire();
            let message = "the agent received no more commands and was ended".to_owned();
            self.session.handle_agent(now(), AgentEvent::Exited { message });
        }
    }
}

fn interrupts(command: &AgentCommand) -> bool {
    match command {
        AgentCommand::Interrupt => true,
        AgentCommand::Decide { decision: Decision::Deny { interrupt, .. }, .. } => *interrupt,
        _ => false,
    }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
