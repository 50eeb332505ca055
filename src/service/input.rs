//! `POST /sessions/{id}/input`.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode};
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc::error::TrySendError, oneshot};

use super::{
    Limits, Policy, SessionHandle,
    handle::{Mail, NotTaken},
    reply::Failure,
    scope::Caller,
};
use crate::{
    layers::resume::EventLog,
    proto::{IdempotencyKey, Inbound, NoAnswer, Refused},
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The longest `Idempotency-Key`, in bytes.
const MAX_KEY: usize = 255;

/// Hands one message to its session and waits for what becomes of it.
pub(crate) async fn input<L: EventLog>(
    headers: &HeaderMap,
    body: Bytes,
    caller: Caller<'_>,
    session: &SessionHandle<L>,
    policy: &Policy,
    limits: &Limits,
) -> Result<(), Failure> {
    let key = idempotency_key(headers, &body)?;
    let input = Inbound::parse(&body).map_err(|invalid| Failure::bad_request(invalid.to_string()))?;
    caller.must_send(&input)?;
    for mode in input.modes() {
        policy.change_to(&mode).map_err(|denied| Failure::forbidden(denied.to_string()))?;
    }
    drop(body);
    let (reply, outcome) = oneshot::channel();
    session.shared().mailbox.try_send(Mail { input, key, reply }).map_err(|error| match error {
        TrySendError::Full(_) => Failure::backpressure(),
        TrySendError::Closed(_) => Failure::unknown_session(),
    })?;
    match tokio::time::timeout(limits.answer_timeout, outcome).await {
        Ok(Ok(outcome)) => outcome.map_err(failure),
        Ok(Err(_)) => Err(Failure::unknown_session()),
        Err(_) => Err(Failure::unavailable("the agent did not answer in time")),
    }
}

fn failure(not_taken: NotTaken) -> Failure {
    match not_taken {
        NotTaken::Refused(refused) => match refused {
            Refused::Settled => Failure::new(StatusCode::CONFLICT, refused.to_string()),
            Refused::NotAQuestion => Failure::bad_request(refused.to_string()),
            Refused::Backpressure => Failure::backpressure(),
            Refused::KeyReused => Failure::unprocessable(refused.to_string()),
            Refused::Closed => Failure::unknown_session(),
        },
        NotTaken::NoAnswer(no_answer) => match no_answer {
            NoAnswer::Refused(words) => Failure::bad_request(words),
            NoAnswer::AgentGone => Failure::unavailable(no_answer.to_string()),
            NoAnswer::SessionClosed => Failure::unknown_session(),
        },
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
