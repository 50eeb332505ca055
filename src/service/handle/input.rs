//! Inputs of a session: checked, delivered, and what becomes of them, for Rust and for HTTP.

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::time::{Instant, timeout_at};

use http::StatusCode;

use super::SessionHandle;
use crate::{
    layers::resume::EventLog,
    metrics,
    proto::{Exceeded, IdempotencyKey, Inbound, NoAnswer, Refused},
    service::{
        error::SessionError,
        limits::Limits,
        policy::Denied,
        session::{
            live::{LiveSession, Mail, NotTaken},
            mailbox::SendError,
            place::Place,
            receipt::receipt,
        },
    },
};

/// Maximum length of an `Idempotency-Key`, in bytes.
const MAX_KEY: usize = 255;

/// How long a caller waits for what becomes of its input.
#[derive(Debug)]
pub(crate) struct Wait {
    answer_timeout: std::time::Duration,
    /// The request as a whole, which ends a little later.
    until: Instant,
}

impl Wait {
    /// Of a request that came now.
    pub(crate) fn new(limits: &Limits) -> Self {
        let until = Instant::now() + limits.request_timeout.mul_f32(0.9);
        Self { answer_timeout: limits.answer_timeout, until }
    }

    /// Until when to wait for a session that gets its message now.
    pub(super) fn until(&self) -> Instant {
        self.until.min(Instant::now() + self.answer_timeout)
    }
}

/// A message for a session.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    message: Inbound,
    key: Option<IdempotencyKey>,
    /// As it was sent, for another host.
    body: Bytes,
}

/// The outcome of a delivery.
#[derive(Debug)]
pub(super) enum Delivered {
    /// With the uuid of a user's message.
    Done(Option<String>),
    /// The session has left memory and did not handle the message.
    NotHere,
}

impl Input {
    pub(crate) fn parse(body: Bytes, key: Option<IdempotencyKey>) -> Result<Self, SessionError> {
        let message = Inbound::parse(&body).map_err(|invalid| SessionError::invalid(invalid.to_string()))?;
        Ok(Self { message, key, body })
    }

    pub(crate) fn into_parts(self) -> (Inbound, Option<IdempotencyKey>) {
        (self.message, self.key)
    }

    pub(super) fn key(&self) -> Option<IdempotencyKey> {
        self.key.clone()
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    /// Whether its text is for the model alone.
    pub(super) fn is_verbatim(&self) -> bool {
        matches!(self.message, Inbound::UserMessage { verbatim: true, .. })
    }

    /// Marks it as the answer of a link.
    pub(crate) fn by_link(mut self) -> Self {
        if let Inbound::PermissionResponse { by_link, .. } = &mut self.message {
            *by_link = true;
        }
        self
    }

    pub(super) fn is_by_link(&self) -> bool {
        matches!(self.message, Inbound::PermissionResponse { by_link: true, .. })
    }

    pub(crate) fn message(&self) -> &Inbound {
        &self.message
    }
}

/// Checks a key and combines it with the body that it is for.
pub(crate) fn idempotency_key(key: &str, body: &[u8]) -> Result<IdempotencyKey, SessionError> {
    if !(1..=MAX_KEY).contains(&key.len()) || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        let text = format!("Idempotency-Key must be 1 to {MAX_KEY} visible ASCII characters");
        return Err(SessionError::invalid(text));
    }
    Ok(IdempotencyKey { key: key.to_owned(), digest: Sha256::digest(body).into() })
}

impl<L: EventLog> SessionHandle<L> {
    /// Checks a message against the policy. The text of a `verbatim` one is for the model alone.
    pub(crate) fn permit(&self, mut input: Input, verbatim_text: bool) -> Result<Input, SessionError> {
        let policy = self.sessions.policy();
        let denied = |denied: Denied| SessionError::Denied(denied.to_string());
        input.message.modes().iter().try_for_each(|mode| policy.change_to(mode)).map_err(denied)?;
        policy.open_to(self.cwd(), &input.message.directories()).map_err(denied)?;
        if !policy.shares_approvals() {
            input.message.keep_to_session();
        }
        if let Inbound::UserMessage { verbatim, .. } = &mut input.message {
            *verbatim = verbatim_text;
        }
        Ok(input)
    }

    /// Delivers an input and waits for its outcome: the uuid of the message, if it is a user's message. A session that
    /// has left memory is restored.
    pub(crate) async fn take(
        &self,
        input: Result<Input, SessionError>,
        wait: &Wait,
    ) -> Result<Option<String>, SessionError> {
        let outcome = match &input {
            Ok(input) => self.deliver(input, wait).await,
            Err(error) => Err(error.clone()),
        };
        let message = input.as_ref().ok().map(|input| &input.message);
        let status = outcome.as_ref().map_or_else(SessionError::status, |_| StatusCode::NO_CONTENT);
        metrics::input_answered(message, status, outcome == Err(SessionError::Backpressure));
        outcome
    }

    async fn deliver(&self, input: &Input, wait: &Wait) -> Result<Option<String>, SessionError> {
        let exceeded = match &input.message {
            Inbound::UserMessage { .. } => self.sessions.day_exceeded(self.owner()).await?,
            _ => None,
        };
        let mut place = self.place().clone();
        loop {
            let delivered = match (&place, exceeded) {
                (Place::Here(live), _) => give(live, input, exceeded, wait).await?,
                (Place::Elsewhere(_), Some(exceeded)) => return Err(exceeded.into()),
                (Place::Elsewhere(_), None) => self.sessions.deliver_elsewhere(&place, input, wait).await?,
            };
            match delivered {
                Delivered::Done(message_uuid) => return Ok(message_uuid),
                Delivered::NotHere => place = self.current().await?.place,
            }
        }
    }
}

/// Puts the message into the session's mailbox and waits for its outcome.
async fn give<S>(
    live: &LiveSession<S>,
    input: &Input,
    exceeded: Option<Exceeded>,
    wait: &Wait,
) -> Result<Delivered, SessionError> {
    let (reply, mut receipt) = receipt();
    let mail = Mail::Input { input: input.message.clone(), key: input.key.clone(), exceeded, reply };
    match live.mailbox.send(mail) {
        Ok(()) => {}
        Err(SendError::Full) => return Err(SessionError::Backpressure),
        Err(SendError::Closed) if live.outlives() => return Ok(Delivered::NotHere),
        Err(SendError::Closed) => return Err(SessionError::NotFound),
    }
    let outcome = match timeout_at(wait.until(), receipt.outcome()).await {
        Ok(outcome) => outcome,
        // What is answered here as not taken must not take effect later.
        Err(_) if receipt.give_up() => {
            return Err(SessionError::unavailable("the session did not answer in time"));
        }
        Err(_) => receipt.outcome().await,
    };
    match outcome {
        Some(Ok(message_uuid)) => Ok(Delivered::Done(message_uuid)),
        Some(Err(NotTaken::Released)) => Ok(Delivered::NotHere),
        Some(Err(not_taken)) => Err(not_taken.into()),
        None if live.outlives() && !live.is_deleted() => {
            Err(SessionError::taken_over("the session moved to another host; try again"))
        }
        None => Err(SessionError::NotFound),
    }
}

impl From<NotTaken> for SessionError {
    fn from(not_taken: NotTaken) -> Self {
        match not_taken {
            NotTaken::Refused(refused) => match refused {
                Refused::Settled => Self::Settled,
                Refused::NotAQuestion | Refused::OtherQuestions(_) | Refused::WrongType(_) => {
                    Self::invalid(refused.to_string())
                }
                Refused::NotQueued | Refused::KnownMessage | Refused::TurnRuns => {
                    Self::Conflict(refused.to_string().into())
                }
                Refused::BudgetExceeded(exceeded) => exceeded.into(),
                Refused::Backpressure => Self::Backpressure,
                Refused::KeyReused => Self::unprocessable(refused.to_string()),
                Refused::Closed => Self::NotFound,
            },
            NotTaken::NoAnswer(no_answer) => match no_answer {
                NoAnswer::Refused(words) => Self::invalid(words),
                NoAnswer::NotQueued => Self::Conflict(no_answer.to_string().into()),
                NoAnswer::AgentGone => Self::unavailable(no_answer.to_string()),
                NoAnswer::SessionClosed => Self::NotFound,
            },
            NotTaken::Asleep => Self::unavailable(
                "the agent is asleep, and its answer is not known; the next message wakes it",
            ),
            NotTaken::Released => Self::NotFound,
        }
    }
}
