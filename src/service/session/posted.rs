//! Messages and their outcomes, as they are stored in the inbox of a session that another host runs.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    proto::{Budget, IdempotencyKey, Inbound, Look},
    service::error::SessionError,
};

/// What the host of a session is asked to do.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Posted {
    /// Hand this message to the session.
    Input(PostedInput),
    /// Look at the session's agent.
    Look(Look),
    /// End and delete the session.
    Close,
}

/// A message. Its sender's scopes were checked by the host that was asked.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PostedInput {
    /// As the client has sent it.
    pub(crate) body: Box<RawValue>,
    pub(crate) verbatim: bool,
    /// Whether it comes from the page of a link.
    #[serde(default)]
    pub(crate) by_link: bool,
    pub(crate) key: Option<PostedKey>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PostedKey {
    key: String,
    digest: [u8; 32],
}

/// The answer of the session's host.
#[derive(Debug)]
pub(crate) enum Answer {
    /// The message was taken: the uuid of a user's message.
    Done(Option<String>),
    /// What the agent answered.
    Found(Box<RawValue>),
}

/// What became of a message, as it is stored.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Done { message_uuid: Option<String> },
    Found(Box<RawValue>),
    Invalid(String),
    Conflict(String),
    BudgetExceeded { message: String, budget: Budget, retry_after: Option<Duration> },
    Denied(String),
    NotFound,
    Settled,
    Unprocessable(String),
    Backpressure,
    Unavailable(String),
}

impl From<IdempotencyKey> for PostedKey {
    fn from(IdempotencyKey { key, digest }: IdempotencyKey) -> Self {
        Self { key, digest }
    }
}

impl From<PostedKey> for IdempotencyKey {
    fn from(PostedKey { key, digest }: PostedKey) -> Self {
        Self { key, digest }
    }
}

/// The key of an entry without one of its client's, so that an entry that is handled again, because its first host
/// died, takes effect once. No client's key has a space. `None` where a second time does no harm, or where the agent
/// may not have heard of the first.
pub(crate) fn own_key(entry_id: &str, message: &Inbound) -> Option<IdempotencyKey> {
    matches!(
        message,
        Inbound::UserMessage { .. }
            | Inbound::PermissionResponse { .. }
            | Inbound::QuestionResponse { .. }
            | Inbound::ElicitationResponse { .. }
    )
    .then(|| IdempotencyKey { key: format!("inbox {entry_id}"), digest: [0; 32] })
}

impl Outcome {
    pub(crate) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("made of strings")
    }

    /// Reads an outcome; a newer version may write one that is not known.
    pub(crate) fn decode(stored: &[u8]) -> Result<Answer, SessionError> {
        let unknown =
            |_| Self::Unavailable("the session's host gave an answer that is not known here".into());
        match serde_json::from_slice(stored).unwrap_or_else(unknown) {
            Self::Done { message_uuid } => Ok(Answer::Done(message_uuid)),
            Self::Found(found) => Ok(Answer::Found(found)),
            Self::Conflict(text) => Err(SessionError::Conflict(text.into())),
            Self::BudgetExceeded { message, budget, retry_after } => {
                Err(SessionError::BudgetExceeded { message, budget, retry_after })
            }
            Self::Invalid(text) => Err(SessionError::invalid(text)),
            Self::Denied(text) => Err(SessionError::Denied(text)),
            Self::NotFound => Err(SessionError::NotFound),
            Self::Settled => Err(SessionError::Settled),
            Self::Unprocessable(text) => Err(SessionError::unprocessable(text)),
            Self::Backpressure => Err(SessionError::Backpressure),
            Self::Unavailable(text) => Err(SessionError::unavailable(text)),
        }
    }
}

impl From<Result<Answer, SessionError>> for Outcome {
    fn from(outcome: Result<Answer, SessionError>) -> Self {
        match outcome {
            Ok(Answer::Done(message_uuid)) => Self::Done { message_uuid },
            Ok(Answer::Found(found)) => Self::Found(found),
            Err(SessionError::Conflict(text)) => Self::Conflict(text.into_owned()),
            Err(SessionError::BudgetExceeded { message, budget, retry_after }) => {
                Self::BudgetExceeded { message, budget, retry_after }
            }
            Err(SessionError::Invalid(text)) => Self::Invalid(text.into_owned()),
            Err(SessionError::Denied(text)) => Self::Denied(text),
            Err(SessionError::NotFound) => Self::NotFound,
            Err(SessionError::Settled) => Self::Settled,
            Err(SessionError::Unprocessable(text)) => Self::Unprocessable(text.into_owned()),
            Err(SessionError::Backpressure) => Self::Backpressure,
            Err(error) => Self::Unavailable(error.to_string()),
        }
    }
}
