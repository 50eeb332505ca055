//! Deserializes the CLI's frames, borrowed from the line, in two passes.
//!
//! The first pass finds the members and leaves their values raw; the second parses the few that are used. No
//! type is tagged, untagged or flattened: serde buffers those, which breaks `RawValue`.

use std::borrow::Cow;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::proto::Extra;

/// A string, borrowed if it holds no escapes.
#[derive(Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(transparent)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

/// The members that identify a frame. The others are skipped.
#[derive(Debug, Deserialize)]
pub(crate) struct Frame<'a> {
    #[serde(borrow, rename = "type")]
    pub(crate) kind: Text<'a>,
    #[serde(borrow)]
    pub(crate) event: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) parent_tool_use_id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) uuid: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) api_message_id: Option<&'a RawValue>,
}

/// An event of the Messages API inside a `stream_event`.
#[derive(Debug, Deserialize)]
pub(crate) struct StreamEvent<'a> {
    #[serde(borrow, rename = "type")]
    pub(crate) kind: Text<'a>,
    #[serde(default)]
    pub(crate) index: u64,
    #[serde(borrow)]
    pub(crate) delta: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) content_block: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) message: Option<&'a RawValue>,
}

/// How the CLI begins the line of a delta. A line that begins otherwise is parsed as any other frame.
pub(crate) const DELTA: &[u8] = br#"{"type":"stream_event","event":{"type":"content_block_delta","#;

/// A line that begins with [`DELTA`]. Most lines are deltas, so they are parsed in one pass.
#[derive(Debug, Deserialize)]
pub(crate) struct DeltaFrame<'a> {
    #[serde(borrow)]
    pub(crate) event: DeltaEvent<'a>,
    #[serde(borrow)]
    pub(crate) parent_tool_use_id: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct DeltaEvent<'a> {
    #[serde(default)]
    pub(crate) index: u64,
    #[serde(borrow)]
    pub(crate) delta: BlockDelta<'a>,
}

/// The `delta` of a `content_block_delta`.
#[derive(Debug, Deserialize)]
pub(crate) struct BlockDelta<'a> {
    #[serde(borrow, rename = "type")]
    pub(crate) kind: Text<'a>,
    #[serde(borrow)]
    pub(crate) text: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) thinking: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) partial_json: Option<&'a RawValue>,
}

/// The members of any object, in order, with raw values.
#[derive(Debug, Default)]
pub(crate) struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Members<'a> {
    /// Parses `raw`. Empty if it is not an object.
    pub(crate) fn of(raw: Option<&'a RawValue>) -> Self {
        raw.and_then(read).unwrap_or_default()
    }

    /// Returns the value of this member; `null` counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&'a RawValue> {
        let (_, value) = self.0.iter().find(|(key, _)| key == name)?;
        (value.get() != "null").then_some(*value)
    }

    /// Returns the value of this member, if it is of this type.
    pub(crate) fn read<T: Deserialize<'a>>(&self, name: &str) -> Option<T> {
        self.get(name).and_then(read)
    }

    /// Returns the value of this member, if it is a string.
    pub(crate) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.get(name).and_then(text)
    }

    /// Copies all members except these.
    pub(crate) fn without(&self, names: &[&str]) -> Extra {
        let others = self.0.iter().filter(|(key, _)| !names.contains(&&**key));
        others.map(|(key, value)| (key.clone().into_owned(), (*value).to_owned())).collect()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(16);
                while let Some((Text(key), value)) = map.next_entry()? {
                    members.push((key, value));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

/// Parses `raw`. Returns `None` for another type: a member of an unexpected type counts as absent.
pub(crate) fn read<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
}

/// Parses `raw` as a string.
pub(crate) fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    read::<Text<'_>>(raw).map(|Text(text)| text)
}

/// Returns the elements of `raw`. Empty if it is not an array.
pub(crate) fn elements(raw: Option<&RawValue>) -> Vec<&RawValue> {
    raw.and_then(read).unwrap_or_default()
}

/// Returns JSON's `null`.
pub(crate) fn null() -> Box<RawValue> {
    RawValue::NULL.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_without_escapes_are_borrowed() {
        let raw: &RawValue = serde_json::from_str(r#"{"plain":"a","esc\n":"b\n","none":null}"#).unwrap();
        let members = Members::of(Some(raw));
        assert!(matches!(members.text("plain"), Some(Cow::Borrowed("a"))));
        assert!(matches!(&members.0[0].0, Cow::Borrowed("plain")));
        assert_eq!(members.text("esc\n").as_deref(), Some("b\n"));
        assert!(members.get("none").is_none() && members.get("absent").is_none());
        assert_eq!(members.without(&["plain", "none"]).len(), 1);
    }

    #[test]
    fn odd_shapes_count_as_absent() {
        let raw: &RawValue = serde_json::from_str("[1]").unwrap();
        assert!(Members::of(Some(raw)).get("a").is_none());
        assert!(elements(Some(RawValue::NULL)).is_empty());
        assert!(text(raw).is_none());
    }
}
