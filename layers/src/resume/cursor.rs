//! Reads the last event id of a request.

use std::fmt;

use http::{HeaderName, request::Parts};

use super::Cursor;
use crate::query;

/// The request header with the id of the last event that a client has seen.
pub(super) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const QUERY_PARAMETER: &str = "last_event_id";

/// The last event id is not a number, so it is not from one of our streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidLastEventId;

impl fmt::Display for InvalidLastEventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the last event id must be a sequence number in ASCII digits")
    }
}

impl std::error::Error for InvalidLastEventId {}

/// The cursor from a request's `Last-Event-ID` header or, without one, from its query parameter `last_event_id`. If
/// both are absent or empty, the cursor is [`Cursor::Oldest`].
///
/// A number that is too large for a sequence number is read as `u64::MAX`, which is ahead of every stream.
///
/// # Errors
/// The value is anything but ASCII digits.
///
/// ```
/// use agent_webkit_layers::resume::{Cursor, last_event_id};
///
/// let (parts, ()) = http::Request::get("/stream?last_event_id=41").body(()).unwrap().into_parts();
/// assert_eq!(last_event_id(&parts), Ok(Cursor::After(41)));
/// ```
pub fn last_event_id(parts: &Parts) -> Result<Cursor, InvalidLastEventId> {
    let value = header(parts).or_else(|| query_parameter(parts));
    value.map_or(Ok(Cursor::Oldest), parse)
}

/// The last event id of a request as it is, for streams whose ids are not sequence numbers.
pub(super) fn opaque_last_event_id(parts: &Parts) -> Option<String> {
    let id = header(parts).map(<[u8]>::to_vec);
    let id = id.or_else(|| query::values(parts.uri.query(), QUERY_PARAMETER).next());
    id.map(|id| String::from_utf8_lossy(&id).into_owned()).filter(|id| !id.is_empty())
}

fn header(parts: &Parts) -> Option<&[u8]> {
    let header = parts.headers.get(LAST_EVENT_ID).map(http::HeaderValue::as_bytes);
    header.filter(|value| !value.is_empty())
}

fn query_parameter(parts: &Parts) -> Option<&[u8]> {
    let pairs = parts.uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
    let value = pairs.into_iter().find(|(name, _)| *name == QUERY_PARAMETER)?.1;
    Some(value.as_bytes()).filter(|value| !value.is_empty())
}

fn parse(digits: &[u8]) -> Result<Cursor, InvalidLastEventId> {
    digits
        .iter()
        .try_fold(0u64, |n, &digit| {
            let digit = char::from(digit).to_digit(10).ok_or(InvalidLastEventId)?;
            Ok(n.saturating_mul(10).saturating_add(digit.into()))
        })
        .map(Cursor::After)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(uri: &str, header: Option<&[u8]>) -> Result<Cursor, InvalidLastEventId> {
        let mut request = http::Request::get(uri);
        if let Some(header) = header {
            request = request.header("Last-Event-ID", header);
        }
        last_event_id(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn absent_or_empty_is_the_oldest() {
        assert_eq!(cursor("/", None), Ok(Cursor::Oldest));
        assert_eq!(cursor("/", Some(b"")), Ok(Cursor::Oldest));
        assert_eq!(cursor("/?last_event_id=", None), Ok(Cursor::Oldest));
        assert_eq!(cursor("/?last_event_id", None), Ok(Cursor::Oldest));
    }

    #[test]
    fn the_header_wins_over_the_query() {
        assert_eq!(cursor("/?last_event_id=3", Some(b"7")), Ok(Cursor::After(7)));
        assert_eq!(cursor("/?a=1&last_event_id=3&b", None), Ok(Cursor::After(3)));
        assert_eq!(cursor("/?last_event_id=3", Some(b"x")), Err(InvalidLastEventId));
    }

    #[test]
    fn only_digits_are_taken() {
        for value in ["-1", "+1", "1.0", " 1", "0x1", "abc", "１", "1,2"] {
            assert_eq!(cursor("/", Some(value.as_bytes())), Err(InvalidLastEventId), "{value}");
        }
        assert_eq!(cursor("/", Some(b"007")), Ok(Cursor::After(7)));
        assert_eq!(cursor("/", Some(b"18446744073709551615")), Ok(Cursor::After(u64::MAX)));
        assert_eq!(cursor("/", Some(b"99999999999999999999999")), Ok(Cursor::After(u64::MAX)));
    }
}
