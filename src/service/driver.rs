//! The task of a session: the only place where its state machine, its agent and its log meet.

use std::{
    collections::HashMap,
    ops::ControlFlow,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    Limits, SessionHandle, Sessions,
    handle::{Latest, Mail, NotTaken, Shared},
    link::{Link, News, Stuck},
    registry::{Registration, Slot},
    reply::{Failure, sentence},
    stream_end::{ClosedOnDrop, all_read},
};
use crate::{
    agent::{Agent, SessionSpec},
    layers::resume::{Batch, Event, EventLog, EventStream},
    proto::{Accepted, AgentCommand, AgentEvent, Output, Presence, Session, SessionConfig},
};

/// So many inputs may be on their way to a session.
const MAILBOX: usize = 256;

/// As many inputs are taken at once, so that they share one batch of the log.
const MAILS: usize = 32;

type Reply = oneshot::Sender<Result<(), NotTaken>>;

/// A session and everything it holds. Dropped in the middle of whatever it does, it leaves no stream open
/// and no trace in the registry.
pub(crate) struct Driver<A, L: EventLog> {
    session: Session,
    spec: SessionSpec,
    link: Link<A>,
    stream: ClosedOnDrop<L::Stream>,
    handle: SessionHandle<L>,
    mailbox: mpsc::Receiver<Mail>,
    cancel: CancellationToken,
    /// Inputs that were taken, to be answered once what they caused is in the log.
    replies: Vec<(Reply, Result<(), NotTaken>)>,
    /// Inputs that wait for the agent's answer.
    asked: HashMap<u64, Reply>,
    /// From the first event in the log to the last.
    registration: Option<Registration<L>>,
    log: L,
    slot: Slot,
}

/// Who asks for a session.
pub(crate) struct Request {
    pub(crate) spec: SessionSpec,
    pub(crate) owner: Option<Arc<str>>,
    pub(crate) limits: Limits,
}

impl<A: Agent, L: EventLog> Driver<A, L> {
    /// Starts an agent and a session around it. On return the log holds `session_ready`, and the session
    /// is registered.
    pub(crate) async fn start(
        request: Request,
        agent: A,
        sessions: &Sessions<L>,
        slot: Slot,
    ) -> Result<Self, Failure> {
        let Request { spec, owner, limits } = request;
        let mut link = Link::new(agent);
        link.start(spec.clone());
        match slot.cancel.run_until_cancelled(link.next()).await {
            Some(News::Started(Err(error))) => {
                return Err(Failure::unavailable(format!(
                    "the agent could not be started: {}",
                    sentence(&*error)
                )));
            }
            Some(_) => {}
            None => {
                link.gone().await;
                return Err(Failure::unavailable("the server is shutting down"));
            }
        }
        let stream = sessions.log().open(&spec.session_id).await.map_err(|error| {
            tracing::error!(session = spec.session_id, %error, "the event log cannot be opened");
            Failure::unavailable("the event log cannot be opened now")
        })?;
        let (mail, mailbox) = mpsc::channel(MAILBOX);
        let handle = SessionHandle::new(Shared {
            id: spec.session_id.clone(),
            owner,
            cwd: spec.cwd.clone(),
            created_at: SystemTime::now(),
            stream: stream.clone(),
            mailbox: mail,
            cancel: slot.cancel.clone(),
            latest: Latest::default().into(),
        });
        let now = now();
        let config = SessionConfig {
            session_id: spec.session_id.clone(),
            model: spec.model.clone(),
            permission_mode: spec.permission_mode.clone(),
            idle_timeout: limits.idle_timeout,
            hibernate_after: None,
            queue_limit: limits.queue,
            new_uuid: || Uuid::new_v4().to_string(),
        };
        let mut session = Session::new(config, now);
        session.handle_started(now);
        let mut driver = Self {
            session,
            link,
            stream: ClosedOnDrop(stream),
            mailbox,
            cancel: slot.cancel.clone(),
            replies: Vec::new(),
            asked: HashMap::new(),
            registration: None,
            log: sessions.log().clone(),
            handle,
            spec,
            slot,
        };
        match driver.settle().await {
            ControlFlow::Continue(()) => {
                tracing::info!(session = driver.spec.session_id, cwd = %driver.spec.cwd.display(), "a session began");
                driver.registration = Some(sessions.register(driver.handle.clone()));
                Ok(driver)
            }
            ControlFlow::Break(()) => {
                driver.finish().await;
                Err(Failure::unavailable("the event log cannot be written now"))
            }
        }
    }

    /// Lets the session end as soon as it runs.
    pub(crate) fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Runs the session to its end, and until its agent is gone.
    pub(crate) async fn run(mut self) {
        let timer = tokio::time::sleep(Duration::ZERO);
        tokio::pin!(timer);
        let mut mails = Vec::with_capacity(MAILS);
        let mut closing = false;
        while self.settle().await.is_continue() {
            let due = self.session.poll_timeout().map(tokio::time::Instant::from_std);
            if let Some(due) = due.filter(|due| *due != timer.deadline()) {
                timer.as_mut().reset(due);
            }
            tokio::select! {
                () = self.cancel.cancelled(), if !closing => {
                    closing = true;
                    self.session.close();
                }
                _ = self.mailbox.recv_many(&mut mails, MAILS) => {
                    for mail in mails.drain(..) {
                        self.take(mail);
                    }
                }
                news = self.link.next() => self.hear(news),
                () = &mut timer, if due.is_some() => {
                    let readers = self.stream.0.readers();
                    let presence =
                        Presence { readers: readers.attached, last_detached: readers.last_detached };
                    self.session.handle_timeout(now(), presence);
                }
            }
        }
        self.finish().await;
    }

    fn take(&mut self, mail: Mail) {
        match self.session.handle_input(now(), mail.input, mail.key) {
            Ok(Accepted::Done) => self.replies.push((mail.reply, Ok(()))),
            Ok(Accepted::Asked(request)) => {
                self.asked.insert(request, mail.reply);
            }
            Err(refused) => self.replies.push((mail.reply, Err(NotTaken::Refused(refused)))),
        }
    }

    fn hear(&mut self, news: News) {
        let now = now();
        match news {
            News::Started(Ok(())) => self.session.handle_started(now),
            News::Started(Err(error)) => self.session.handle_start_failed(now, &sentence(&*error)),
            News::Events => {
                for event in self.link.events.drain(..) {
                    self.session.handle_agent(now, event);
                }
            }
        }
    }

    /// Does what the session wants done until it wants nothing more. Breaks at its end.
    ///
    /// Events come first: nothing is told to the agent or to a client before it is in the log.
    async fn settle(&mut self) -> ControlFlow<()> {
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
            self.handle.shared().latest().set_choices(self.session.model(), self.session.permission_mode());
            for (reply, outcome) in self.replies.drain(..) {
                let _ = reply.send(outcome);
            }
            if rest.is_empty() {
                return ControlFlow::Continue(());
            }
            for output in rest {
                self.perform(output)?;
            }
        }
    }

    async fn publish(&mut self, mut batch: Batch) -> ControlFlow<()> {
        let note = self.session.take_note();
        if batch.events.is_empty() && note.is_none() {
            return ControlFlow::Continue(());
        }
        batch.note = note.clone().map(Bytes::from);
        let seqs = match self.stream.0.append(batch).await {
            Ok(seqs) => seqs,
            Err(error) => {
                let error = sentence(&error);
                tracing::error!(session = self.spec.session_id, error, "the event log takes no events");
                return ControlFlow::Break(());
            }
        };
        let mut latest = self.handle.shared().latest();
        if let Some(note) = note {
            latest.note = note;
        }
        if !seqs.is_empty() {
            latest.as_of = *seqs.end();
        }
        ControlFlow::Continue(())
    }

    fn perform(&mut self, output: Output) -> ControlFlow<()> {
        match output {
            Output::Start { model, permission_mode } => {
                self.link.start(SessionSpec { model, permission_mode, resume: true, ..self.spec.clone() });
            }
            Output::Command(command) => self.tell(command),
            Output::Stop => self.link.retire(),
            Output::Answer { request, outcome } => {
                if let Some(reply) = self.asked.remove(&request) {
                    let _ = reply.send(outcome.map_err(NotTaken::NoAnswer));
                }
            }
            Output::Closed => return ControlFlow::Break(()),
            Output::Event(_) => {}
        }
        ControlFlow::Continue(())
    }

    fn tell(&mut self, command: AgentCommand) {
        if let Err(Stuck) = self.link.send(command) {
            self.link.retire();
            let message = "the agent took no more commands and was ended".to_owned();
            self.session.handle_agent(now(), AgentEvent::Exited { message });
        }
    }

    /// Ends the streams, then waits until the agent is gone and the readers have read what there is.
    async fn finish(self) {
        let Self { link, stream, mailbox, registration, log, mut slot, spec, handle, .. } = self;
        tracing::info!(session = spec.session_id, "a session ended");
        slot.leave();
        drop((stream, registration, mailbox));
        tokio::join!(link.gone(), all_read(handle.stream()));
        if let Err(error) = log.forget(&spec.session_id).await {
            tracing::warn!(session = spec.session_id, %error, "the event log keeps a stream that has ended");
        }
    }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
