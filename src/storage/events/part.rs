//! Classifies events: pieces of a message, and whole messages.

use std::borrow::Cow;

use serde::Deserialize;

use crate::layers::resume::Event;

/// Longest message id, in bytes. Ids are short; an event with a longer one is never compacted.
const LONGEST_ID: usize = 256;

/// How an event relates to a message that is sent in pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The event belongs to no message and is never compacted.
    None,
    /// A piece of the message with this id. Compaction removes it once a later event holds the whole message.
    PieceOf(String),
    /// The whole message with this id.
    Whole(String),
}

/// Classifies an event.
pub type Classify = fn(&Event) -> Part;

/// Classifies the protocol's events: `message_delta` is a piece, `message_complete` the whole message.
#[must_use]
pub fn protocol_part(event: &Event) -> Part {
    let part = match &*event.name {
        "message_delta" => Part::PieceOf,
        "message_complete" => Part::Whole,
        _ => return Part::None,
    };
    message_id(&event.data).map_or(Part::None, part)
}

/// The member `message_id`. This server writes it first, so a long message need not be parsed to find it.
fn message_id(data: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Data<'a> {
        #[serde(borrow)]
        message_id: Cow<'a, str>,
    }
    let at_first = data.strip_prefix(br#"{"message_id":""#).and_then(|rest| {
        let end = rest.iter().position(|&byte| byte == b'"' || byte == b'\\')?;
        (rest[end] == b'"').then(|| std::str::from_utf8(&rest[..end]).ok().map(str::to_owned))?
    });
    at_first
        .or_else(|| serde_json::from_slice(data).ok().map(|Data { message_id }| message_id.into_owned()))
        // An index limits the length of its keys, and Postgres text cannot hold NUL.
        .filter(|id| id.len() <= LONGEST_ID && !id.contains('\0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &'static str, data: &str) -> Part {
        protocol_part(&Event::new(name, data.to_owned()))
    }

    #[test]
    fn deltas_are_pieces_and_completes_are_wholes() {
        let data = r#"{"message_id":"msg_1","delta":{}}"#;
        assert_eq!(part("message_delta", data), Part::PieceOf("msg_1".into()));
        assert_eq!(part("message_complete", data), Part::Whole("msg_1".into()));
        assert_eq!(part("tool_use", data), Part::None);
    }

    #[test]
    fn the_id_is_found_wherever_it_stands_and_however_it_is_written() {
        let piece = |id: &str| Part::PieceOf(id.into());
        assert_eq!(part("message_delta", r#"{"delta":{"message_id":"no"}, "message_id" : "a"}"#), piece("a"));
        assert_eq!(part("message_delta", r#"{"message_id":"a\"b"}"#), piece("a\"b"));
        for none in [r#"{"message_id":7}"#, "{}", "", "nonsense", r#"{"message_id":"a\u0000"}"#] {
            assert_eq!(part("message_delta", none), Part::None, "{none}");
        }
        let long = format!(r#"{{"message_id":"{}"}}"#, "x".repeat(257));
        assert_eq!(part("message_delta", &long), Part::None);
    }
}
