//! What a session answers and what it wants done.

use super::{AgentCommand, OutEvent};

/// What became of an input that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// Done, or queued.
    Done,
    /// The agent is asked; [`Output::Answer`] with this number tells what it said.
    Asked(u64),
}

/// Why an input was not taken. Nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// No such prompt is open.
    #[error("this prompt was already answered, or was never asked")]
    Settled,
    /// A `question_response` for a prompt that is no question.
    #[error("this prompt is not a question; answer it with a permission_response")]
    NotAQuestion,
    /// A `question_response` that answers none of the prompt's questions, or also something else. It holds the
    /// questions, quoted.
    #[error("answers must be for the questions of this prompt, which are {0}")]
    OtherQuestions(String),
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

/// Why a request got no yes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoAnswer {
    /// The agent said no, in these words.
    #[error("{0}")]
    Refused(String),
    /// The agent ended before it answered.
    #[error("the agent ended before it answered")]
    AgentGone,
    /// The session ended before the agent answered.
    #[error("the session ended before the agent answered")]
    SessionClosed,
}

/// What the session wants done, in this order.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Output {
    /// Append to the log.
    Event(OutEvent),
    /// Start an agent, then call `Session::handle_started` or `Session::handle_start_failed`.
    Start {
        /// The model to start with.
        model: Option<String>,
        /// The permission mode to start with.
        permission_mode: Option<String>,
    },
    /// Tell the agent. Comes only between `handle_started` and the agent's end or [`Output::Stop`].
    Command(AgentCommand),
    /// Let the agent end, or do not start it. It is not heard any more.
    Stop,
    /// Answer the input that [`Accepted::Asked`] kept waiting.
    Answer {
        /// Names the input.
        request: u64,
        /// What the agent said.
        outcome: Result<(), NoAnswer>,
    },
    /// Nobody needs the session in memory: let go of it once its agent is gone, or ignore this.
    Release,
    /// The session is over: close the log. Nothing comes after this.
    Closed,
}
