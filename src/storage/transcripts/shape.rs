//! Shapes an entry so that a `jsonb` column can hold it.

use std::borrow::Cow;

use serde_json::{Map, value::RawValue};

use super::{Entry, plain::plain};

/// Maximum nesting in `jsonb`. Postgres parses JSON recursively, so deeper entries are stored as text only.
const MAX_DEPTH: usize = 500;
/// Maximum digits of an exponent and of a number in `jsonb`, whose `numeric` is limited.
const MAX_EXPONENT: usize = 3;
const MAX_NUMBER: usize = 10_000;
/// Maximum size of a member that is shown in place of an entry that `jsonb` cannot hold.
const MAX_MEMBER: usize = 200;

/// How an entry is stored: as `jsonb`, and as its original text if that differs.
#[derive(Debug)]
pub(super) struct Shape<'a> {
    pub(super) jsonb: Cow<'a, str>,
    pub(super) verbatim: Option<&'a str>,
}

impl<'a> Shape<'a> {
    pub(super) fn of(entry: &'a Entry) -> Self {
        let json = entry.json().get();
        let jsonb = match plain(json) {
            plain if fits(&plain) => plain,
            plain => Cow::Owned(head(&plain)),
        };
        let verbatim = matches!(jsonb, Cow::Owned(_)).then_some(json);
        Self { jsonb, verbatim }
    }
}

/// Whether no value is too deep and no number too long for `jsonb`.
fn fits(json: &str) -> bool {
    let (mut depth, mut number, mut exponent) = (0_usize, 0, None);
    let mut bytes = json.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => skip_string(&mut bytes),
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'e' | b'E' if number > 0 => exponent = Some(0),
            _ => {}
        }
        match (byte.is_ascii_digit(), exponent) {
            (true, Some(digits)) => exponent = Some(digits + 1),
            (true, None) => number += 1,
            (false, _) if matches!(byte, b'.' | b'+' | b'-' | b'e' | b'E') => {}
            (false, _) => (number, exponent) = (0, None),
        }
        if depth > MAX_DEPTH || number > MAX_NUMBER || exponent.is_some_and(|digits| digits > MAX_EXPONENT) {
            return false;
        }
    }
    true
}

fn skip_string(bytes: &mut std::str::Bytes<'_>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'"' => return,
            _ => {}
        }
    }
}

/// The short string members of the entry, such as its type, its uuid and its time.
fn head(json: &str) -> String {
    let members: Map<String, serde_json::Value> = serde_json::from_str::<
        std::collections::BTreeMap<String, &RawValue>,
    >(json)
    .unwrap_or_default()
    .into_iter()
    .filter(|(name, value)| name.len() + value.get().len() <= MAX_MEMBER)
    .filter_map(|(name, value)| Some((name, serde_json::from_str::<String>(value.get()).ok()?.into())))
    .collect();
    serde_json::Value::from(members).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(json: &str) -> (String, bool) {
        let entry: Entry = json.parse().unwrap();
        let shape = Shape::of(&entry);
        (shape.jsonb.clone().into_owned(), shape.verbatim.is_some())
    }

    #[test]
    fn what_jsonb_holds_is_stored_as_it_is() {
        for json in [
            r#"{"n":[1,-2.5e10,1e-300,123456789012345678901234567890.1],"s":"e99999 [[[\"{"}"#,
            r#"{"s":"\ud83d\ude00"}"#,
        ] {
            assert_eq!(shape(json), (json.to_owned(), false));
        }
    }

    #[test]
    fn what_is_no_unicode_is_shown_as_far_as_it_is() {
        assert_eq!(shape(r#"{"s":"a\u0000\ud83d"}"#), (r#"{"s":"a\ufffd\ufffd"}"#.to_owned(), true));
    }

    #[test]
    fn what_is_too_deep_or_too_long_is_shown_by_its_head() {
        let deep =
            format!(r#"{{"type":"x","n":1,"deep":{}{}}}"#, "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH));
        let long = format!(r#"{{"type":"x","n":{}}}"#, "9".repeat(MAX_NUMBER + 1));
        for json in [deep.as_str(), r#"{"type":"x","n":1e99999}"#, r#"{"n":-1.5E-9999,"type":"x"}"#, &long] {
            assert_eq!(shape(json), (r#"{"type":"x"}"#.to_owned(), true), "{json}");
        }
    }
}
