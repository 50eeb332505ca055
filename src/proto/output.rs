//! The outputs of a session: results of inputs, and actions for its driver.

use serde_json::value::RawValue;

use super::{AgentCommand, Exceeded, OutEvent, Wakeup};

/// The result of an accepted input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// The input is handled or queued.
    Done,
    /// The input was sent to the agent. [`Output::Answer`] with this number carries the agent's answer.
    Asked(u64),
    /// An input with this key and body was accepted before, so nothing was done. For a user's message, this is the
    /// uuid that it got.
    Repeated(Option<String>),
}

/// Why an input was refused. The session has not changed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// No prompt with this id is open.
    #[error("this prompt was already answered, or was never asked")]
    Settled,
    /// A `question_response` to a prompt that is not a question.
    #[error("this prompt is not a question; answer it with a permission_response")]
    NotAQuestion,
    /// A `question_response` that answers none of the prompt's questions, or also something else. It holds the
    /// questions, quoted.
    #[error("answers must be for the questions of this prompt, which are {0}")]
    OtherQuestions(String),
    /// The prompt needs a message of another type, which this names.
    #[error("this prompt cannot be answered so; send {0}")]
    WrongType(&'static str),
    /// No message with this id is queued.
    #[error("this message is not queued: it runs or has run, or was never sent")]
    NotQueued,
    /// The session has a message with this id.
    #[error("the session has a message with this message_uuid")]
    KnownMessage,
    /// The input has to wait for the end of the turn.
    #[error("a turn runs; interrupt it, or wait for its result")]
    TurnRuns,
    /// A budget is used up.
    #[error("{0}")]
    BudgetExceeded(Exceeded),
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

/// Why a request to the agent failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoAnswer {
    /// The agent refused, with this text.
    #[error("{0}")]
    Refused(String),
    /// The message is not in the agent's queue.
    #[error("this message is not queued: it runs or has run, or was never sent")]
    NotQueued,
    /// The agent ended before it answered.
    #[error("the agent ended before it answered")]
    AgentGone,
    /// The session ended before the agent answered.
    #[error("the session ended before the agent answered")]
    SessionClosed,
}

/// An action for the session's driver. Actions must be performed in order.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Output {
    /// Append the event to the event log.
    Event(OutEvent),
    /// Start an agent, then call `Session::handle_started` or `Session::handle_start_failed`.
    Start {
        /// The model to start with.
        model: Option<String>,
        /// The permission mode to start with.
        permission_mode: Option<String>,
        /// If that mode is `plan`: the mode that an approved plan returns to, if it is known.
        mode_before_plan: Option<String>,
        /// The effort that was chosen in the session.
        effort: Option<String>,
        /// The permission updates that were granted for the session's whole life.
        permissions: Vec<Box<RawValue>>,
        /// The prompts that the agent has to ask again: they are open, or were answered just now.
        open_prompts: Vec<String>,
        /// The wake-ups that earlier agents scheduled.
        wakeups: Vec<Wakeup>,
    },
    /// Send the command to the agent. Comes only between `handle_started` and the agent's end or
    /// [`Output::Stop`].
    Command(AgentCommand),
    /// Stop the agent, or do not start it, and discard its further events.
    Stop,
    /// Answer the input for which [`Accepted::Asked`] was returned.
    Answer {
        /// The number in [`Accepted::Asked`].
        request: u64,
        /// The agent's answer.
        outcome: Result<(), NoAnswer>,
    },
    /// Answer the look for which [`Looked::Asked`](super::Looked::Asked) was returned.
    Looked {
        /// The number in [`Looked::Asked`](super::Looked::Asked).
        request: u64,
        /// The agent's answer.
        outcome: Result<Box<RawValue>, NoAnswer>,
    },
    /// Nobody needs the session in memory: drop it once its agent is gone, or ignore this.
    Release,
    /// The session has ended in this process. No output follows.
    Closed,
}
