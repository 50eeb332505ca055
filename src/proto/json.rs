//! Writes one-line JSON without building a tree, and reads members of JSON without parsing all of it.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::value::RawValue;

/// The members of a JSON object, each as raw JSON. Of several members with one name, the last wins.
pub(super) type Members<'a> = BTreeMap<String, &'a RawValue>;

/// Writes one JSON object, member by member.
pub(super) struct Object(Vec<u8>);

impl Object {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        let mut buffer = Vec::with_capacity(capacity);
        buffer.push(b'{');
        Self(buffer)
    }

    pub(super) fn new() -> Self {
        Self::with_capacity(128)
    }

    fn key(&mut self, key: &str) {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        push_string(&mut self.0, key);
        self.0.push(b':');
    }

    pub(super) fn string(mut self, key: &str, value: &str) -> Self {
        self.key(key);
        push_string(&mut self.0, value);
        self
    }

    pub(super) fn optional(self, key: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.string(key, value),
            None => self,
        }
    }

    pub(super) fn bool(mut self, key: &str, value: bool) -> Self {
        self.key(key);
        self.0.extend_from_slice(if value { b"true" } else { b"false" });
        self
    }

    pub(super) fn number(mut self, key: &str, value: f64) -> Self {
        self.key(key);
        serde_json::to_writer(&mut self.0, &value).expect("a vector takes every byte");
        self
    }

    pub(super) fn raw(mut self, key: &str, value: &RawValue) -> Self {
        self.key(key);
        self.0.extend_from_slice(one_line(value.get()).as_bytes());
        self
    }

    /// Adds a member whose value is already JSON on one line.
    pub(super) fn json(self, key: &str, value: &[u8]) -> Self {
        self.pieces(key, &[value])
    }

    /// Adds a member whose value, once its pieces are joined, is JSON on one line.
    pub(super) fn pieces(mut self, key: &str, pieces: &[&[u8]]) -> Self {
        self.key(key);
        for piece in pieces {
            self.0.extend_from_slice(piece);
        }
        self
    }

    pub(super) fn members<'a>(self, members: impl IntoIterator<Item = &'a (String, Box<RawValue>)>) -> Self {
        members.into_iter().fold(self, |object, (key, value)| object.raw(key, value))
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.0.push(b'}');
        self.0
    }
}

/// The members of a JSON object in their order, owned; none if it is not an object.
pub(super) fn entries(object: &RawValue) -> Vec<(String, Box<RawValue>)> {
    struct Entries;

    impl<'de> serde::de::Visitor<'de> for Entries {
        type Value = Vec<(String, Box<RawValue>)>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut entries = Vec::new();
            while let Some(entry) = map.next_entry()? {
                entries.push(entry);
            }
            Ok(entries)
        }
    }

    let mut deserializer = serde_json::Deserializer::from_str(object.get());
    serde::Deserializer::deserialize_map(&mut deserializer, Entries).unwrap_or_default()
}

/// Joins JSON values to an array on one line.
pub(super) fn array<'a>(items: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
    let mut buffer = vec![b'['];
    for item in items {
        if buffer.len() > 1 {
            buffer.push(b',');
        }
        buffer.extend_from_slice(one_line(item).as_bytes());
    }
    buffer.push(b']');
    buffer
}

fn push_string(buffer: &mut Vec<u8>, value: &str) {
    serde_json::to_writer(buffer, value).expect("a vector takes every byte");
}

/// Removes the line breaks between the tokens of valid JSON.
///
/// Strings contain none, because JSON requires them to be escaped.
pub(super) fn one_line(json: &str) -> Cow<'_, str> {
    if memchr::memchr2(b'\n', b'\r', json.as_bytes()).is_some() {
        Cow::Owned(json.chars().filter(|c| !matches!(c, '\n' | '\r')).collect())
    } else {
        Cow::Borrowed(json)
    }
}

/// Copies the value onto one line.
pub(super) fn owned(value: &RawValue) -> Box<RawValue> {
    match one_line(value.get()) {
        Cow::Borrowed(_) => value.to_owned(),
        Cow::Owned(line) => RawValue::from_string(line).expect("only space between tokens was taken out"),
    }
}

/// Wraps encoded JSON in a raw value.
pub(super) fn into_raw(json: Vec<u8>) -> Box<RawValue> {
    let text = String::from_utf8(json).expect("made of strings");
    RawValue::from_string(text).expect("made of whole JSON values")
}

/// Whether a string in valid JSON has an escape like `\ud800` that is half of a surrogate pair. JSON's grammar allows it,
/// but it is no text: no Rust string, no UTF-8 and no text column can hold it.
pub(super) fn has_lone_surrogate(json: &str) -> bool {
    let unit = |at: usize| match json.as_bytes().get(at..at + 6) {
        Some([b'\\', b'u', hex @ ..]) => u16::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok(),
        _ => None,
    };
    let mut at = 0;
    while let Some(next) = memchr::memchr(b'\\', &json.as_bytes()[at..]) {
        at += next;
        at += match unit(at) {
            Some(0xd800..=0xdbff) if matches!(unit(at + 6), Some(0xdc00..=0xdfff)) => 12,
            Some(0xd800..=0xdfff) => return true,
            Some(_) => 6,
            None => 2,
        };
    }
    false
}

/// Returns the nesting depth of arrays and objects in valid JSON.
pub(super) fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_written_on_one_line() {
        let raw = RawValue::from_string("{\n \"a\" : \"x\\ny\" }".into()).unwrap();
        let json =
            Object::new().string("k\"", "v\n").raw("raw", &raw).bool("b", true).number("n", 0.5).finish();
        assert_eq!(
            String::from_utf8(json).unwrap(),
            r#"{"k\"":"v\n","raw":{ "a" : "x\ny" },"b":true,"n":0.5}"#
        );
    }

    #[test]
    fn line_breaks_between_tokens_are_taken_out_wherever_they_stand() {
        for spaces in 0..300 {
            let json = format!("[{}\r\n1]", " ".repeat(spaces));
            assert_eq!(one_line(&json), format!("[{}1]", " ".repeat(spaces)));
        }
    }

    #[test]
    fn half_a_surrogate_pair_is_found_and_a_whole_one_is_text() {
        for text in [
            r"",
            r"\ud83d\ude00",
            r"\\ud800",
            r"\\\ud83d\ude00",
            r"ud800",
            r"\ue000\ud7ff",
            r"\n\u000a",
            "é🦀",
        ] {
            assert!(!has_lone_surrogate(&format!(r#"["{text}"]"#)), "{text}");
            assert!(serde_json::from_str::<String>(&format!(r#""{text}""#)).is_ok(), "{text}");
        }
        for half in [
            r"\ud800",
            r"\uDFFF",
            r"\ude00\ud83d",
            r"\ud83dx",
            r"\ud83d\n",
            r"\\\udc00",
            r"\ud83d\ud83d\ude00",
        ] {
            assert!(has_lone_surrogate(&format!(r#"{{"a":["{half}"]}}"#)), "{half}");
            assert!(serde_json::from_str::<String>(&format!(r#""{half}""#)).is_err(), "{half}");
        }
    }

    #[test]
    fn brackets_in_strings_are_not_nesting() {
        assert_eq!(depth(br#"{"a":["[[[\"{{", [1]]}"#), 3);
        assert_eq!(depth(b"1"), 0);
    }
}
