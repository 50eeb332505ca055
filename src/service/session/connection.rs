//! A session's connection to its agent. There is at most one agent: a new one starts once the old one is
//! gone.

use std::{
    future::{Future, pending, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll},
};

use tokio::{
    sync::mpsc::{self, error::TrySendError},
    task::yield_now,
};
use tower::{BoxError, ServiceExt};

use crate::{
    agent::{Agent, AgentIo, SessionSpec},
    metrics::AgentMetrics,
    proto::{AgentCommand, AgentEvent},
};

/// Maximum number of events received at once. A burst of events becomes one batch of the event log.
const BURST: usize = 1024;

/// What happened on an agent connection.
#[derive(Debug)]
pub(crate) enum AgentUpdate {
    /// The requested agent has started, or failed to start.
    Started(Result<(), BoxError>),
    /// The agent sent events, which are in [`AgentConnection::events`].
    Events,
    /// A retired agent is gone.
    Gone,
}

/// The agent does not receive its commands: the channel is full.
#[derive(Debug)]
pub(crate) struct Stuck;

/// The agent of one session, if it has one.
pub(crate) struct AgentConnection<A> {
    agent: A,
    phase: Phase,
    /// The agent to start as soon as the old one is gone.
    wanted: Option<Box<SessionSpec>>,
    metrics: AgentMetrics,
    /// The events received and not yet handled.
    pub(crate) events: Vec<AgentEvent>,
    /// Number of events of a burst that [`AgentConnection::next`] has not reported yet.
    gathered: usize,
}

type Start = Pin<Box<dyn Future<Output = Result<AgentIo, BoxError>> + Send>>;

enum Phase {
    Absent,
    Starting(Start),
    /// Retired while it starts: its end is awaited once it has started.
    Unwanted(Start),
    Running(AgentIo),
    /// Retired or lost. Its events are discarded, and it is gone when their channel closes.
    Leaving(mpsc::Receiver<AgentEvent>),
}

impl<A: Agent> AgentConnection<A> {
    /// Creates a connection without an agent.
    pub(crate) fn new(agent: A) -> Self {
        Self {
            agent,
            phase: Phase::Absent,
            wanted: None,
            metrics: AgentMetrics::new(),
            events: Vec::new(),
            gathered: 0,
        }
    }

    /// Creates a connection that starts an agent.
    pub(crate) fn starting(agent: A, spec: SessionSpec) -> Self {
        let mut connection = Self::new(agent);
        connection.start(spec);
        connection
    }

    /// Retires the current agent and starts another once it is gone. [`AgentConnection::next`] reports the
    /// start.
    pub(crate) fn start(&mut self, spec: SessionSpec) {
        self.retire();
        self.wanted = Some(Box::new(spec));
    }

    /// Closes the agent's command channel, upon which it ends, and discards its further events.
    pub(crate) fn retire(&mut self) {
        self.events.clear();
        self.gathered = 0;
        self.leave();
    }

    fn leave(&mut self) {
        self.wanted = None;
        self.phase = match std::mem::replace(&mut self.phase, Phase::Absent) {
            Phase::Running(AgentIo { events, .. }) | Phase::Leaving(events) => Phase::Leaving(events),
            Phase::Starting(start) | Phase::Unwanted(start) => Phase::Unwanted(start),
            Phase::Absent => Phase::Absent,
        };
    }

    /// Ends the agent at once, by force.
    pub(crate) fn abort(&mut self) {
        if let Phase::Running(io) = &self.phase {
            let _ = io.commands.try_send(AgentCommand::Abort);
        }
        self.retire();
    }

    /// Whether there is no agent, not even one that is still ending.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self.phase, Phase::Absent)
    }

    /// Sends a command to the agent, without waiting.
    pub(crate) fn send(&mut self, command: AgentCommand) -> Result<(), Stuck> {
        match &self.phase {
            Phase::Running(io) => match io.commands.try_send(command) {
                Err(TrySendError::Full(_)) => Err(Stuck),
                // A closed channel means that the agent is exiting, which `next` reports as an event.
                Ok(()) | Err(TrySendError::Closed(_)) => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Waits until the requested agent has started. Cancel safe.
    pub(crate) async fn up(&mut self) -> Result<(), BoxError> {
        while !matches!(self.phase, Phase::Running(_)) {
            if let AgentUpdate::Started(outcome) = self.next().await {
                return outcome;
            }
        }
        Ok(())
    }

    /// Waits for the next update; for ever if there is no agent. Cancel safe.
    pub(crate) async fn next(&mut self) -> AgentUpdate {
        loop {
            match &mut self.phase {
                Phase::Absent => {
                    let Some(spec) = self.wanted.take() else { return pending().await };
                    self.metrics.wanted(spec.resume);
                    let started = self.agent.clone().oneshot(*spec);
                    self.phase = Phase::Starting(Box::pin(async { started.await.map_err(Into::into) }));
                }
                Phase::Starting(starting) => {
                    let (phase, outcome) = match starting.await {
                        Ok(io) => (Phase::Running(io), Ok(())),
                        Err(error) => (Phase::Absent, Err(error)),
                    };
                    self.metrics.started(outcome.is_ok());
                    self.phase = phase;
                    return AgentUpdate::Started(outcome);
                }
                Phase::Running(io) => {
                    poll_fn(|cx| poll_burst(cx, &mut io.events, &mut self.events, &mut self.gathered)).await;
                    if self.metrics.is_unready() && self.events.iter().any(is_ready) {
                        self.metrics.ready();
                    }
                    if let Some(end) = self.events.iter().position(is_exit) {
                        self.metrics.lost();
                        self.events.truncate(end + 1);
                        self.leave();
                    }
                    return AgentUpdate::Events;
                }
                Phase::Unwanted(_) | Phase::Leaving(_) => {
                    self.part().await;
                    if self.is_absent() && self.wanted.is_none() {
                        return AgentUpdate::Gone;
                    }
                }
            }
        }
    }

    /// Retires the agent and waits until it is gone.
    pub(crate) async fn gone(mut self) {
        self.retire();
        while !self.is_absent() {
            self.part().await;
        }
    }

    /// Waits for one step in the end of a retired agent.
    async fn part(&mut self) {
        match &mut self.phase {
            Phase::Unwanted(start) => {
                let started = start.await;
                self.metrics.started(started.is_ok());
                self.phase = match started {
                    Ok(AgentIo { events, .. }) => Phase::Leaving(events),
                    Err(_) => Phase::Absent,
                };
            }
            Phase::Leaving(events) => {
                if events.recv().await.is_none() {
                    self.metrics.gone();
                    self.phase = Phase::Absent;
                }
            }
            Phase::Absent | Phase::Starting(_) | Phase::Running(_) => {}
        }
    }
}

/// Receives the events that are there. Of several, more are likely to be on their way: the other tasks that are ready
/// run first, until no more come. So a burst is appended, stored and written to each reader in few pieces.
///
/// `gathered` counts what has come of the burst, for `events` may have others, of an agent that waits for its session.
fn poll_burst(
    cx: &mut Context<'_>,
    channel: &mut mpsc::Receiver<AgentEvent>,
    events: &mut Vec<AgentEvent>,
    gathered: &mut usize,
) -> Poll<()> {
    match channel.poll_recv_many(cx, events, BURST - *gathered) {
        Poll::Ready(0) if *gathered == 0 => {
            let message = "the agent ended without a message".to_owned();
            events.push(AgentEvent::Exited { message });
        }
        Poll::Ready(count @ 2..) if *gathered + count < BURST => {
            *gathered += count;
            return pin!(yield_now()).poll(cx);
        }
        Poll::Pending if *gathered == 0 => return Poll::Pending,
        Poll::Ready(_) | Poll::Pending => {}
    }
    *gathered = 0;
    Poll::Ready(())
}

fn is_ready(event: &AgentEvent) -> bool {
    matches!(event, AgentEvent::Ready)
}

fn is_exit(event: &AgentEvent) -> bool {
    matches!(event, AgentEvent::Exited { .. })
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use tokio::{sync::Mutex, time::timeout};
    use tower::service_fn;

    use super::*;

    /// The agent's ends of its channels.
    struct Far {
        commands: mpsc::Receiver<AgentCommand>,
        events: mpsc::Sender<AgentEvent>,
    }

    /// A connection, and a receiver of each started agent's channel ends.
    fn connection() -> (AgentConnection<impl Agent>, mpsc::UnboundedReceiver<Far>) {
        let (made, far) = mpsc::unbounded_channel();
        let agent = service_fn(move |_: SessionSpec| {
            let (command_tx, commands) = mpsc::channel(1);
            let (events, event_rx) = mpsc::channel(8);
            made.send(Far { commands, events }).unwrap();
            async { Ok::<_, BoxError>(AgentIo { commands: command_tx, events: event_rx }) }
        });
        (AgentConnection::new(agent), far)
    }

    fn spec() -> SessionSpec {
        SessionSpec::new("id", "/")
    }

    async fn up(connection: &mut AgentConnection<impl Agent>, far: &mut mpsc::UnboundedReceiver<Far>) -> Far {
        connection.start(spec());
        assert!(matches!(connection.next().await, AgentUpdate::Started(Ok(()))));
        far.recv().await.unwrap()
    }

    #[tokio::test]
    async fn a_burst_comes_at_once() {
        let (mut connection, mut far) = connection();
        let agent = up(&mut connection, &mut far).await;
        for _ in 0..3 {
            agent.events.send(AgentEvent::Ready).await.unwrap();
        }
        connection.next().await;
        assert_eq!(connection.events.len(), 3);
    }

    #[tokio::test]
    async fn a_burst_that_is_still_coming_comes_at_once() {
        let (mut connection, mut far) = connection();
        let agent = up(&mut connection, &mut far).await;
        let says = tokio::spawn(async move {
            for _ in 0..100 {
                agent.events.send(AgentEvent::Ready).await.unwrap();
            }
            agent
        });
        while connection.events.len() < 2 {
            connection.next().await;
        }
        assert_eq!(connection.events.len(), 100, "the channel holds eight");
        connection.start(spec());
        assert!(connection.events.is_empty(), "those of an agent that is retired are discarded");
        drop(says.await.unwrap());
    }

    #[tokio::test]
    async fn events_that_nobody_has_taken_yet_are_not_reported_again() {
        let (mut connection, mut far) = connection();
        let agent = up(&mut connection, &mut far).await;
        for count in [1, 3] {
            for _ in 0..count {
                agent.events.send(AgentEvent::Ready).await.unwrap();
            }
            connection.next().await;
        }
        assert_eq!(connection.events.len(), 4);
        assert!(timeout(Duration::from_millis(10), connection.next()).await.is_err());
    }

    #[tokio::test]
    async fn a_full_channel_is_noticed_and_a_closed_one_is_an_exit() {
        let (mut connection, mut far) = connection();
        let Far { commands, events } = up(&mut connection, &mut far).await;
        assert!(connection.send(AgentCommand::Interrupt).is_ok());
        assert!(connection.send(AgentCommand::Interrupt).is_err());
        drop((commands, events));
        assert!(connection.send(AgentCommand::Interrupt).is_ok());
        connection.next().await;
        assert!(matches!(connection.events[..], [AgentEvent::Exited { .. }]));
    }

    #[tokio::test]
    async fn a_new_agent_waits_until_the_old_one_is_gone() {
        let (mut connection, mut far) = connection();
        let mut old = up(&mut connection, &mut far).await;
        old.events.send(AgentEvent::Exited { message: String::new() }).await.unwrap();
        connection.next().await;
        assert!(old.commands.recv().await.is_none(), "it is retired");
        connection.start(spec());
        let connection = Arc::new(Mutex::new(connection));
        let next = tokio::spawn({
            let connection = Arc::clone(&connection);
            async move { connection.lock().await.next().await }
        });
        old.events.send(AgentEvent::Ready).await.unwrap();
        // The channel holds eight events, so this waits until the connection has received all earlier ones.
        old.events.reserve_many(8).await.unwrap();
        assert!(far.try_recv().is_err(), "the old one is still there");
        drop(old);
        assert!(matches!(next.await.unwrap(), AgentUpdate::Started(Ok(()))));
        assert!(connection.lock().await.events.iter().all(is_exit), "a leaving agent's events are discarded");
    }

    #[tokio::test]
    async fn an_agent_that_is_not_started_yet_never_is() {
        let (mut connection, mut far) = connection();
        connection.start(spec());
        connection.gone().await;
        assert!(far.try_recv().is_err());
    }

    #[tokio::test]
    async fn one_that_is_being_started_is_let_go_and_waited_for() {
        let (go, gone) = tokio::sync::oneshot::channel::<AgentIo>();
        let gone = Arc::new(std::sync::Mutex::new(Some(gone)));
        let agent = service_fn(move |_: SessionSpec| gone.lock().unwrap().take().expect("one start"));
        let mut connection = AgentConnection::new(agent);
        connection.start(spec());
        assert!(
            tokio::time::timeout(std::time::Duration::ZERO, connection.next()).await.is_err(),
            "it starts"
        );

        let gone = tokio::spawn(connection.gone());
        let (commands, mut far_commands) = mpsc::channel(1);
        let (far_events, events) = mpsc::channel(1);
        go.send(AgentIo { commands, events }).unwrap();
        assert!(far_commands.recv().await.is_none(), "it is retired");
        assert!(!gone.is_finished());
        drop(far_events);
        gone.await.unwrap();
    }
}
