//! `POST /sessions/{id}/input`.

use bytes::Bytes;
use http::{HeaderMap, HeaderName};

use super::{scope::Caller, span::record_in_current_span};
use crate::{
    layers::resume::EventLog,
    proto::{IdempotencyKey, Inbound},
    service::{
        error::SessionError,
        handle::{Input, SessionHandle, Wait, idempotency_key},
    },
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Parses one message, delivers it to a session and waits for its outcome.
pub(crate) async fn take<L: EventLog>(
    headers: &HeaderMap,
    body: Bytes,
    caller: Caller<'_>,
    session: &SessionHandle<L>,
    wait: &Wait,
) -> Result<(), SessionError> {
    let input = key(headers, &body).and_then(|key| parse(body, key, caller, session));
    session.take(input, wait).await.map(drop)
}

fn parse<L: EventLog>(
    body: Bytes,
    key: Option<IdempotencyKey>,
    caller: Caller<'_>,
    session: &SessionHandle<L>,
) -> Result<Input, SessionError> {
    let input = Input::parse(body, key)?;
    if let Inbound::PermissionResponse { correlation_id, .. }
    | Inbound::QuestionResponse { correlation_id, .. }
    | Inbound::ElicitationResponse { correlation_id, .. } = input.message()
    {
        record_in_current_span("correlation_id", correlation_id);
    }
    caller.must_send(input.message())?;
    // A mention reads any file, and a command changes permissions, without a prompt that `approve` guards.
    session.permit(input, !caller.may_approve())
}

fn key(headers: &HeaderMap, body: &[u8]) -> Result<Option<IdempotencyKey>, SessionError> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let once = value.to_str().ok().filter(|_| values.next().is_none());
    idempotency_key(once.unwrap_or_default(), body).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_visible_ascii_and_comes_once() {
        let key = |values: &[&str]| {
            let mut map = HeaderMap::new();
            for value in values {
                map.append(IDEMPOTENCY_KEY, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
            }
            key(&map, b"body")
        };
        assert_eq!(key(&[]).unwrap(), None);
        assert_eq!(key(&["a-1"]).unwrap().unwrap().key, "a-1");
        assert!(key(&[&"k".repeat(255)]).is_ok());
        for wrong in [&[""][..], &["a b"], &["é"], &["a", "a"], &[&"k".repeat(256)]] {
            assert!(key(wrong).is_err(), "{wrong:?}");
        }
    }
}
