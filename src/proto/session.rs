//! One session's state machine.

use std::time::{Duration, Instant};

use super::{AgentCommand, AgentEvent, Inbound};

/// What a session needs to know from the start.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// The session's id.
    pub session_id: String,
    /// A session without reader, turn or input for so long ends.
    pub idle_timeout: Duration,
    /// So many user messages may wait.
    pub queue_limit: usize,
}

/// A request's `Idempotency-Key` and a digest of its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The header's value.
    pub key: String,
    /// SHA-256 of the body.
    pub digest: [u8; 32],
}

/// What became of an input that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// Done, or queued.
    Done,
    /// The agent is asked; [`Output::Answer`] with this number tells what it said.
    Asked(u64),
}

/// Why an input was not taken. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// No such prompt is open.
    #[error("this prompt was already answered, or was never asked")]
    Settled,
    /// The queue is full.
    #[error("too many messages are queued; try again later")]
    Backpressure,
    /// The key was used with another body.
    #[error("this Idempotency-Key was used with another body")]
    KeyReused,
    /// The session has ended.
    #[error("the session has ended")]
    Closed,
}

/// An event for the session's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutEvent {
    /// The event's name.
    pub name: &'static str,
    /// One line of JSON.
    pub data: String,
}

/// What the session wants done, in this order.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Output {
    /// Append to the log.
    Event(OutEvent),
    /// Start an agent; tell [`Session::handle_started`] or [`Session::handle_start_failed`].
    Start {
        /// The model to start with.
        model: Option<String>,
        /// The permission mode to start with.
        permission_mode: Option<String>,
    },
    /// Tell the agent. Comes only between `handle_started` and the agent's end or [`Output::Stop`].
    Command(AgentCommand),
    /// Let the agent end: drop its command channel.
    Stop,
    /// Answer the input that [`Accepted::Asked`] kept waiting.
    Answer {
        /// Names the input.
        request: u64,
        /// `Err` holds the agent's words.
        outcome: Result<(), String>,
    },
    /// The session is over: close the log. Nothing comes after this.
    Closed,
}

/// One session, without I/O: events and inputs in, [`Output`]s out.
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
}

impl Session {
    /// A new session whose agent is already being started: its first output is `session_ready`.
    #[must_use]
    pub fn new(
        config: SessionConfig,
        model: Option<String>,
        permission_mode: Option<String>,
        now: Instant,
    ) -> Self {
        let _ = (model, permission_mode, now);
        Self { config }
    }

    /// A client's message.
    ///
    /// # Errors
    /// Why it was not taken.
    pub fn handle_input(
        &mut self,
        now: Instant,
        input: Inbound,
        key: Option<IdempotencyKey>,
    ) -> Result<Accepted, Refused> {
        let _ = (now, input, key, &self.config);
        Ok(Accepted::Done)
    }

    /// The agent that [`Output::Start`] asked for is there.
    pub fn handle_started(&mut self, now: Instant) {
        let _ = now;
    }

    /// The agent that [`Output::Start`] asked for could not be started.
    pub fn handle_start_failed(&mut self, now: Instant, message: &str) {
        let _ = (now, message);
    }

    /// Something the agent said.
    pub fn handle_agent(&mut self, now: Instant, event: AgentEvent) {
        let _ = (now, event);
    }

    /// Ends the session: prompts settle, `done` is the last event.
    pub fn close(&mut self, now: Instant) {
        let _ = now;
    }

    /// When [`Session::handle_timeout`] wants to be called. Ask again after every call.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// A timer is due. `readers` and `last_detached` say who watches.
    pub fn handle_timeout(&mut self, now: Instant, readers: usize, last_detached: Option<Instant>) {
        let _ = (now, readers, last_detached);
    }

    /// What to do next. Call until it gives `None`, after every other call.
    pub fn poll_output(&mut self) -> Option<Output> {
        None
    }

    /// The members `"status":…,"pending":[…]` of `session_state`, when they changed since the last call.
    pub fn take_note(&mut self) -> Option<String> {
        None
    }
}
