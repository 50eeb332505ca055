//! `POST /sessions/{id}/input`.

use http::{HeaderMap, HeaderName, StatusCode};
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

use super::{scope::Caller, span::record_in_current_span};
use crate::{
    layers::resume::EventLog,
    metrics,
    proto::{IdempotencyKey, Inbound, NoAnswer, Refused},
    service::{
        failure::Failure,
        limits::Limits,
        policy::Policy,
        registry::sessions::Sessions,
        session::{
            handle::{Mail, NotTaken, SessionHandle},
            mailbox::SendError,
        },
    },
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The longest `Idempotency-Key`, in bytes.
const MAX_KEY: usize = 255;

/// Takes one message for a session and waits for what becomes of it. A session that leaves the memory
/// meanwhile is restored.
pub(crate) async fn take<L: EventLog>(
    headers: &HeaderMap,
    body: &[u8],
    caller: Caller<'_>,
    session: SessionHandle<L>,
    sessions: &Sessions<L>,
    limits: &Limits,
) -> Result<(), Failure> {
    let input = Input::parse(headers, body, caller, sessions.policy());
    let outcome = match &input {
        Ok(input) => input.deliver(session, caller, sessions, limits).await,
        Err(failure) => Err(failure.clone()),
    };
    let message = input.as_ref().ok().map(|input| &input.message);
    let status = outcome.as_ref().map_or_else(Failure::status, |()| StatusCode::NO_CONTENT);
    metrics::input_answered(message, status, outcome.as_ref().is_err_and(Failure::is_backpressure));
    outcome
}

/// One message for a session, checked.
#[derive(Clone, Debug)]
struct Input {
    message: Inbound,
    key: Option<IdempotencyKey>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    Done,
    /// The session has left the memory; it took nothing.
    NotHere,
}

impl Input {
    fn parse(headers: &HeaderMap, body: &[u8], caller: Caller<'_>, policy: &Policy) -> Result<Self, Failure> {
        let key = idempotency_key(headers, body)?;
        let message = Inbound::parse(body).map_err(|invalid| Failure::bad_request(invalid.to_string()))?;
        if let Inbound::PermissionResponse { correlation_id, .. }
        | Inbound::QuestionResponse { correlation_id, .. } = &message
        {
            record_in_current_span("correlation_id", correlation_id);
        }
        caller.must_send(&message)?;
        for mode in message.modes() {
            policy.change_to(&mode).map_err(|denied| Failure::forbidden(denied.to_string()))?;
        }
        Ok(Self { message, key })
    }

    async fn deliver<L: EventLog>(
        &self,
        mut session: SessionHandle<L>,
        caller: Caller<'_>,
        sessions: &Sessions<L>,
        limits: &Limits,
    ) -> Result<(), Failure> {
        while let Taken::NotHere = self.give_to(&session, limits).await? {
            let found = sessions.find(session.id(), caller.name()).await?;
            session = found.ok_or_else(Failure::unknown_session)?;
        }
        Ok(())
    }

    /// Hands it to its session and waits for what becomes of it.
    async fn give_to<L: EventLog>(
        &self,
        session: &SessionHandle<L>,
        limits: &Limits,
    ) -> Result<Taken, Failure> {
        let (reply, outcome) = oneshot::channel();
        let mail = Mail { input: self.message.clone(), key: self.key.clone(), reply };
        match session.shared().mailbox.send(mail) {
            Ok(()) => {}
            Err(SendError::Full) => return Err(Failure::backpressure()),
            Err(SendError::Closed) if session.shared().outlives() => return Ok(Taken::NotHere),
            Err(SendError::Closed) => return Err(Failure::unknown_session()),
        }
        match tokio::time::timeout(limits.answer_timeout, outcome).await {
            Ok(Ok(Ok(()))) => Ok(Taken::Done),
            Ok(Ok(Err(NotTaken::Released))) => Ok(Taken::NotHere),
            Ok(Ok(Err(not_taken))) => Err(failure(not_taken)),
            Ok(Err(_)) if session.shared().outlives() && !session.shared().is_deleted() => {
                Err(Failure::unavailable("the session went to another host; try again"))
            }
            Ok(Err(_)) => Err(Failure::unknown_session()),
            Err(_) => Err(Failure::unavailable("the agent did not answer in time")),
        }
    }
}

fn failure(not_taken: NotTaken) -> Failure {
    match not_taken {
        NotTaken::Refused(refused) => match refused {
            Refused::Settled => Failure::new(StatusCode::CONFLICT, refused.to_string()),
            Refused::NotAQuestion | Refused::OtherQuestions(_) => Failure::bad_request(refused.to_string()),
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
