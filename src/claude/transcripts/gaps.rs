//! Closes the gaps in a transcript that the CLI could not write completely, such as on a full disk.
//!
//! Each message names its parent. Measured: a CLI that resumes from a transcript in which a parent is missing knows
//! what is left, but not always: if the transcript ends with a user's message whose parent is missing, it knows
//! nothing before that message. With another parent in its place it knows all of them.

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::storage::transcripts::Entry;

const PARENT: &str = "parentUuid";

/// The members of an entry that give it a place in the conversation.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    uuid: Option<String>,
    parent_uuid: Option<String>,
}

/// Gives each entry whose parent is missing the entry before it as its parent.
pub(crate) fn close(mut entries: Vec<Entry>) -> Vec<Entry> {
    let places: Vec<Option<Place>> =
        entries.iter().map(|entry| serde_json::from_str(entry.json().get()).ok()).collect();
    let known: HashSet<&str> = places.iter().flatten().filter_map(|place| place.uuid.as_deref()).collect();
    let mut before = None;
    for (entry, place) in entries.iter_mut().zip(&places) {
        let Some(Place { uuid, parent_uuid }) = place else { continue };
        let is_orphan = parent_uuid.as_deref().is_some_and(|parent| !known.contains(parent));
        if let Some(linked) = before.filter(|_| is_orphan).and_then(|before| with_parent(entry, before)) {
            *entry = linked;
        }
        before = uuid.as_deref().or(before);
    }
    entries
}

fn with_parent(entry: &Entry, parent: &str) -> Option<Entry> {
    let mut members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(entry.json().get()).ok()?;
    members.insert(PARENT.to_owned(), to_raw_value(parent).ok()?);
    Entry::new(to_raw_value(&members).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(entries: &[&str]) -> Vec<String> {
        let entries = entries.iter().map(|entry| entry.parse().unwrap()).collect();
        close(entries).iter().map(|entry| entry.json().get().to_owned()).collect()
    }

    #[test]
    fn an_entry_without_its_parent_follows_the_one_before_it() {
        let first = r#"{"uuid":"1","parentUuid":null}"#;
        let last_words = r#"{"type":"last-prompt"}"#;
        assert_eq!(
            closed(&[first, last_words, r#"{"x":1.50,"uuid":"4","parentUuid":"3"}"#]),
            [first, last_words, r#"{"parentUuid":"1","uuid":"4","x":1.50}"#]
        );
    }

    #[test]
    fn whoever_has_its_parent_keeps_it_wherever_it_is() {
        let whole = [
            r#"{"uuid":"0","parentUuid":"gone"}"#,
            r#"{"uuid":"1","parentUuid":"2"}"#,
            r#"{"uuid":"2","parentUuid":null}"#,
            r#"{"uuid":"3","parentUuid":"1"}"#,
            r#"{"uuid":"4"}"#,
        ];
        assert_eq!(closed(&whole), whole);
    }
}
