//! Removes the entries before a `/clear` from a transcript.
//!
//! Measured: after `/clear` the CLI continues under another session id, and the first message has no parent.
//! A CLI that resumes from both conversations continues the new one only if it holds an answer, else the old
//! one.

use std::{borrow::Cow, collections::HashSet};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::storage::transcripts::Entry;

/// The members of an entry that assign it to a conversation.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Place<'a> {
    #[serde(borrow)]
    uuid: Option<&'a RawValue>,
    #[serde(borrow)]
    parent_uuid: Option<&'a RawValue>,
    #[serde(borrow)]
    session_id: Option<Cow<'a, str>>,
}

/// Removes the entries before the last `/clear`.
pub(crate) fn since_clear(mut entries: Vec<Entry>) -> Vec<Entry> {
    let mut seen = HashSet::new();
    let mut start = 0;
    for (at, entry) in entries.iter().enumerate() {
        let Ok(place) = serde_json::from_str::<Place<'_>>(entry.json().get()) else { continue };
        let (Some(_), Some(session_id)) = (place.uuid, place.session_id) else { continue };
        let is_new = seen.insert(session_id.into_owned());
        if is_new && place.parent_uuid.is_none() {
            start = if seen.len() > 1 { at } else { 0 };
        }
    }
    entries.drain(..start);
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(entries: &[&str]) -> Vec<String> {
        let entries = entries.iter().map(|entry| entry.parse().unwrap()).collect();
        since_clear(entries).iter().map(|entry| entry.json().get().to_owned()).collect()
    }

    #[test]
    fn a_cleared_conversation_begins_with_its_first_message() {
        let old = [
            r#"{"type":"queue-operation","sessionId":"s"}"#,
            r#"{"uuid":"1","parentUuid":null,"sessionId":"s"}"#,
        ];
        let new = [
            r#"{"uuid":"2","parentUuid":null,"sessionId":"t"}"#,
            r#"{"type":"queue-operation","sessionId":"s"}"#,
            r#"{"uuid":"3","parentUuid":"2","sessionId":"t"}"#,
            r#"{"uuid":"4","parentUuid":"3","sessionId":"s"}"#,
        ];
        assert_eq!(left(&[&old[..], &new[..]].concat()), new);
        assert_eq!(left(&old), old);
    }

    #[test]
    fn another_id_alone_or_another_root_alone_clears_nothing() {
        let entries = [
            r#"{"uuid":"1","parentUuid":null,"sessionId":"s"}"#,
            r#"{"uuid":"2","parentUuid":"1","sessionId":"t"}"#,
            r#"{"uuid":"3","parentUuid":null,"subtype":"compact_boundary","sessionId":"t"}"#,
            r#"{"uuid":"4","parentUuid":"3","sessionId":"t"}"#,
        ];
        assert_eq!(left(&entries), entries);
    }
}
