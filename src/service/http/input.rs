//! `POST /sessions/{id}/input`.

use std::{path::Path, time::Duration};

use http::{HeaderMap, HeaderName, StatusCode};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, timeout_at};

use super::{scope::Caller, span::record_in_current_span};
use crate::{
    layers::resume::EventLog,
    metrics,
    proto::{IdempotencyKey, Inbound, NoAnswer, Refused},
    service::{
        failure::Failure,
        limits::Limits,
        policy::{Denied, Policy},
        registry::sessions::Sessions,
        session::{
            handle::{Mail, NotTaken, SessionHandle},
            mailbox::SendError,
            receipt::receipt,
        },
    },
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Maximum length of an `Idempotency-Key`, in bytes.
const MAX_KEY: usize = 255;

/// How long a request waits for what becomes of its input.
#[derive(Debug)]
pub(crate) struct Wait {
    answer_timeout: Duration,
    /// The request as a whole, which ends a little later.
    until: Instant,
}

impl Wait {
    /// Of a request that came now.
    pub(crate) fn new(limits: &Limits) -> Self {
        let until = Instant::now() + limits.request_timeout.mul_f32(0.9);
        Self { answer_timeout: limits.answer_timeout, until }
    }
}

/// Parses one message, delivers it to a session and waits for its outcome. A session that leaves memory
/// meanwhile is restored.
pub(crate) async fn take<L: EventLog>(
    headers: &HeaderMap,
    body: &[u8],
    caller: Caller<'_>,
    session: SessionHandle<L>,
    sessions: &Sessions<L>,
    wait: &Wait,
) -> Result<(), Failure> {
    let input = Input::parse(headers, body, caller, session.cwd(), sessions.policy());
    let outcome = match &input {
        Ok(input) => input.deliver(session, caller, sessions, wait).await,
        Err(failure) => Err(failure.clone()),
    };
    let message = input.as_ref().ok().map(|input| &input.message);
    let status = outcome.as_ref().map_or_else(Failure::status, |()| StatusCode::NO_CONTENT);
    metrics::input_answered(message, status, outcome.as_ref().is_err_and(Failure::is_backpressure));
    outcome
}

/// A checked message for a session.
#[derive(Clone, Debug)]
struct Input {
    message: Inbound,
    key: Option<IdempotencyKey>,
}

/// The outcome of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    Done,
    /// The session has left memory and did not handle the message.
    NotHere,
}

impl Input {
    fn parse(
        headers: &HeaderMap,
        body: &[u8],
        caller: Caller<'_>,
        cwd: &Path,
        policy: &Policy,
    ) -> Result<Self, Failure> {
        let key = idempotency_key(headers, body)?;
        let mut message =
            Inbound::parse(body).map_err(|invalid| Failure::bad_request(invalid.to_string()))?;
        if let Inbound::PermissionResponse { correlation_id, .. }
        | Inbound::QuestionResponse { correlation_id, .. }
        | Inbound::ElicitationResponse { correlation_id, .. } = &message
        {
            record_in_current_span("correlation_id", correlation_id);
        }
        caller.must_send(&message)?;
        let denied = |denied: Denied| Failure::forbidden(denied.to_string());
        message.modes().iter().try_for_each(|mode| policy.change_to(mode)).map_err(denied)?;
        policy.open_to(cwd, &message.directories()).map_err(denied)?;
        if !policy.shares_approvals() {
            message.keep_to_session();
        }
        // A mention reads any file, and a command changes permissions, without a prompt that `approve` guards.
        if let Inbound::UserMessage { verbatim, .. } = &mut message {
            *verbatim = !caller.may_approve();
        }
        Ok(Self { message, key })
    }

    async fn deliver<L: EventLog>(
        &self,
        mut session: SessionHandle<L>,
        caller: Caller<'_>,
        sessions: &Sessions<L>,
        wait: &Wait,
    ) -> Result<(), Failure> {
        while let Taken::NotHere = self.give_to(&session, wait).await? {
            let found = sessions.find(session.id(), caller.name()).await?;
            session = found.ok_or_else(Failure::unknown_session)?;
        }
        Ok(())
    }

    /// Puts the message into the session's mailbox and waits for its outcome.
    async fn give_to<L: EventLog>(&self, session: &SessionHandle<L>, wait: &Wait) -> Result<Taken, Failure> {
        let (reply, mut receipt) = receipt();
        let mail = Mail { input: self.message.clone(), key: self.key.clone(), reply };
        match session.shared().mailbox.send(mail) {
            Ok(()) => {}
            Err(SendError::Full) => return Err(Failure::backpressure()),
            Err(SendError::Closed) if session.shared().outlives() => return Ok(Taken::NotHere),
            Err(SendError::Closed) => return Err(Failure::unknown_session()),
        }
        let until = wait.until.min(Instant::now() + wait.answer_timeout);
        let outcome = match timeout_at(until, receipt.outcome()).await {
            Ok(outcome) => outcome,
            // What is answered here as not taken must not take effect later.
            Err(_) if receipt.give_up() => {
                return Err(Failure::unavailable("the session did not answer in time"));
            }
            Err(_) => receipt.outcome().await,
        };
        match outcome {
            Some(Ok(())) => Ok(Taken::Done),
            Some(Err(NotTaken::Released)) => Ok(Taken::NotHere),
            Some(Err(not_taken)) => Err(failure(not_taken)),
            None if session.shared().outlives() && !session.shared().is_deleted() => {
                Err(Failure::unavailable("the session moved to another host; try again"))
            }
            None => Err(Failure::unknown_session()),
        }
    }
}

fn failure(not_taken: NotTaken) -> Failure {
    match not_taken {
        NotTaken::Refused(refused) => match refused {
            Refused::Settled => Failure::new(StatusCode::CONFLICT, refused.to_string()),
            Refused::NotAQuestion | Refused::OtherQuestions(_) | Refused::WrongType(_) => {
                Failure::bad_request(refused.to_string())
            }
            Refused::Backpressure => Failure::backpressure(),
            Refused::KeyReused => Failure::unprocessable(refused.to_string()),
            Refused::Closed => Failure::unknown_session(),
        },
        NotTaken::NoAnswer(no_answer) => match no_answer {
            NoAnswer::Refused(words) => Failure::bad_request(words),
            NoAnswer::AgentGone => Failure::unavailable(no_answer.to_string()),
            NoAnswer::SessionClosed => Failure::unknown_session(),
        },
        NotTaken::Released => Failure::unknown_session(),
    }
}

fn idempotency_key(headers: &HeaderMap, body: &[u8]) -> Result<Option<IdempotencyKey>, Failure> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let key = value
        .to_str()
        .ok()
        .filter(|key| (1..=MAX_KEY).contains(&key.len()))
        .filter(|key| key.bytes().all(|byte| byte.is_ascii_graphic()))
        .filter(|_| values.next().is_none())
        .ok_or_else(|| {
            Failure::bad_request(format!("Idempotency-Key must be 1 to {MAX_KEY} visible ASCII characters"))
        })?;
    Ok(Some(IdempotencyKey { key: key.to_owned(), digest: Sha256::digest(body).into() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(values: &[&str]) -> Result<Option<IdempotencyKey>, Failure> {
        let headers = values
            .iter()
            .map(|value| (IDEMPOTENCY_KEY, http::HeaderValue::from_bytes(value.as_bytes()).unwrap()));
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, value);
        }
        idempotency_key(&map, b"body")
    }

    #[test]
    fn a_key_is_visible_ascii_and_comes_once() {
        assert_eq!(key(&[]).unwrap(), None);
        assert_eq!(key(&["a-1"]).unwrap().unwrap().key, "a-1");
        assert!(key(&[&"k".repeat(MAX_KEY)]).is_ok());
        for wrong in [&[""][..], &["a b"], &["é"], &["a", "a"], &[&"k".repeat(MAX_KEY + 1)]] {
            assert!(key(wrong).is_err(), "{wrong:?}");
        }
    }
}
