//! The errors of a session, in Rust and on the wire.

use std::{borrow::Cow, time::Duration};

use http::StatusCode;

use crate::{
    error_text::with_sources,
    layers::resume::{Evicted, TailError},
    proto::Budget,
    storage::{catalog::CatalogError, transcripts::StoreError},
};

/// Time after which to try again, where nothing better is known.
const SOON: Duration = Duration::from_secs(1);

/// Why a session could not be created, found or used.
///
/// Each variant is one answer of the wire, with the same text as its `detail`:
///
/// | variant | status |
/// |---|---|
/// | [`Invalid`](Self::Invalid) | 400 |
/// | [`BudgetExceeded`](Self::BudgetExceeded) | 402 with `"code":"budget_exceeded"` |
/// | [`Denied`](Self::Denied) | 403 |
/// | [`NotFound`](Self::NotFound) | 404 |
/// | [`Settled`](Self::Settled), [`Conflict`](Self::Conflict) | 409 |
/// | [`Evicted`](Self::Evicted), [`Ahead`](Self::Ahead) | 412 |
/// | [`TooLarge`](Self::TooLarge) | 413 |
/// | [`Unprocessable`](Self::Unprocessable) | 422 |
/// | [`Backpressure`](Self::Backpressure) | 503 with `"code":"backpressure"` |
/// | [`TakenOver`](Self::TakenOver), [`Unavailable`](Self::Unavailable) | 503 |
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The input is invalid, or the agent refused it. The text says why.
    #[error("{0}")]
    Invalid(Cow<'static, str>),
    /// The policy does not allow it.
    #[error("{0}")]
    Denied(String),
    /// The caller has no such session: it never existed, has ended or was deleted, or belongs to another owner.
    #[error("there is no such session")]
    NotFound,
    /// The prompt was already answered, or was never asked.
    #[error("this prompt was already answered, or was never asked")]
    Settled,
    /// The session is not in the state that the input needs: the message to withdraw is not queued, there is a message
    /// with this uuid, or a turn runs.
    #[error("{0}")]
    Conflict(Cow<'static, str>),
    /// The reader needs events that are no longer held, because it starts too early or has fallen too far behind.
    #[error("the stream cannot be resumed: {0}")]
    Evicted(Evicted),
    /// The reader starts after an event that was never sent.
    #[error("the stream cannot be resumed: event {after} was never sent: the newest event is {last}")]
    Ahead {
        /// Where the reader starts.
        after: u64,
        /// The sequence number of the newest event.
        last: u64,
    },
    /// The message is longer than [`Limits::max_body`](super::Limits::max_body).
    #[error("the body is longer than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// A member of a new session is invalid, or an idempotency key was used with another message.
    #[error("{0}")]
    Unprocessable(Cow<'static, str>),
    /// A budget is used up, so that no message runs.
    #[error("{message}")]
    BudgetExceeded {
        /// Which one, as a sentence.
        message: String,
        /// Which one.
        budget: Budget,
        /// The time after which there is a new one, if ever.
        retry_after: Option<Duration>,
    },
    /// The session's queue is full. Try again when a turn has ended.
    #[error("too many messages are queued; try again later")]
    Backpressure,
    /// Another host serves the session now.
    #[error("{message}")]
    TakenOver {
        /// What happened, as a sentence.
        message: &'static str,
        /// The time after which to try again.
        retry_after: Duration,
    },
    /// It is not possible now: there are too many sessions, the server is shutting down, the agent did not start, or
    /// the storage is not available.
    #[error("{message}")]
    Unavailable {
        /// What is wrong, as a sentence.
        message: Cow<'static, str>,
        /// The time after which to try again.
        retry_after: Duration,
    },
}

impl SessionError {
    /// The status of the wire.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::BudgetExceeded { .. } => StatusCode::PAYMENT_REQUIRED,
            Self::Denied(_) => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Settled | Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Evicted(_) | Self::Ahead { .. } => StatusCode::PRECONDITION_FAILED,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unprocessable(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Backpressure | Self::TakenOver { .. } | Self::Unavailable { .. } => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    /// The time after which to try again, for errors that may pass.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Backpressure => Some(SOON),
            Self::BudgetExceeded { retry_after, .. } => *retry_after,
            Self::TakenOver { retry_after, .. } | Self::Unavailable { retry_after, .. } => Some(*retry_after),
            _ => None,
        }
    }

    pub(crate) fn invalid(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Invalid(text.into())
    }

    pub(crate) fn unprocessable(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Unprocessable(text.into())
    }

    pub(crate) fn unavailable(message: impl Into<Cow<'static, str>>) -> Self {
        Self::Unavailable { message: message.into(), retry_after: SOON }
    }

    pub(crate) const fn taken_over(message: &'static str) -> Self {
        Self::TakenOver { message, retry_after: SOON }
    }
}

impl From<TailError> for SessionError {
    fn from(error: TailError) -> Self {
        match error {
            TailError::Evicted(evicted) => Self::Evicted(evicted),
            TailError::Ahead { after, last } => Self::Ahead { after, last },
            TailError::Forgotten => Self::NotFound,
            TailError::Fenced => Self::taken_over("the stream is served elsewhere now; try again"),
            error => {
                tracing::error!(error = with_sources(&error), "the event log is unavailable");
                Self::unavailable("the event log is not available now; try again")
            }
        }
    }
}

/// Logs the cause, which callers do not see.
impl From<CatalogError> for SessionError {
    fn from(error: CatalogError) -> Self {
        no_storage(&error)
    }
}

impl From<StoreError> for SessionError {
    fn from(error: StoreError) -> Self {
        no_storage(&error)
    }
}

fn no_storage(error: &dyn std::error::Error) -> SessionError {
    tracing::error!(error = with_sources(error), "the session storage is unavailable");
    SessionError::unavailable("the session storage is not available now; try again")
}
