//! A transcript entry: one line of a transcript.

use std::{borrow::Cow, fmt};

use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Longest `uuid`, in bytes, that identifies an entry.
const MAX_UUID: usize = 256;

/// A transcript entry: a JSON object, kept verbatim.
///
/// ```
/// use agent_webkit::storage::transcripts::Entry;
///
/// let entry: Entry = r#"{"type":"user","uuid":"a"}"#.parse()?;
/// assert_eq!(entry.uuid().as_deref(), Some("a"));
/// assert!("[1]".parse::<Entry>().is_err());
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Entry(Box<RawValue>);

impl Entry {
    /// Wraps this JSON; returns `None` if it is not an object.
    #[must_use]
    pub fn new(json: Box<RawValue>) -> Option<Self> {
        json.get().starts_with('{').then_some(Self(json))
    }

    /// Parses an entry without a copy of the text.
    pub(super) fn owned(json: String) -> Result<Self, serde_json::Error> {
        let json = RawValue::from_string(json)?;
        Self::new(json).ok_or_else(|| serde_json::Error::custom("a transcript entry must be a JSON object"))
    }

    /// The entry's JSON.
    #[must_use]
    pub fn json(&self) -> &RawValue {
        &self.0
    }

    /// The member `uuid`, which makes appends idempotent. `None` if it is not a string, is longer than 256
    /// bytes, or holds a NUL character, which databases cannot compare.
    #[must_use]
    pub fn uuid(&self) -> Option<Cow<'_, str>> {
        let uuid = serde_json::Deserializer::from_str(self.0.get()).deserialize_map(LastUuid).ok()??;
        (uuid.len() <= MAX_UUID && !uuid.contains('\0')).then_some(uuid)
    }
}

impl std::str::FromStr for Entry {
    type Err = serde_json::Error;

    fn from_str(json: &str) -> Result<Self, serde_json::Error> {
        Self::owned(json.to_owned())
    }
}

/// Finds the member `uuid`. Of several with that name the last one counts, as in JavaScript and Python.
struct LastUuid;

impl<'de> Visitor<'de> for LastUuid {
    type Value = Option<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut uuid = None;
        while let Some(name) = members.next_key::<&RawValue>()? {
            if name.get() == "\"uuid\"" {
                let value: &RawValue = members.next_value()?;
                uuid = string(value);
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(uuid)
    }
}

fn string(value: &RawValue) -> Option<Cow<'_, str>> {
    match serde_json::from_str::<&str>(value.get()) {
        Ok(text) => Some(Cow::Borrowed(text)),
        Err(_) => serde_json::from_str(value.get()).ok().map(Cow::Owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uuid(json: &str) -> Option<String> {
        json.parse::<Entry>().unwrap().uuid().map(Cow::into_owned)
    }

    #[test]
    fn an_entry_is_an_object() {
        for wrong in ["[]", "1", "\"a\"", "null", "{", "{} {}"] {
            assert!(wrong.parse::<Entry>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_uuid_is_the_last_string_of_that_name() {
        assert_eq!(uuid(r#"{"uuid":"a"}"#).as_deref(), Some("a"));
        assert_eq!(uuid(r#"{"message":{"uuid":"b"},"uuid":"\u0061"}"#).as_deref(), Some("a"));
        assert_eq!(uuid(r#"{"uuid":1,"uuid":"a"}"#).as_deref(), Some("a"));
        assert_eq!(uuid(r#"{"uuid":"a","uuid":null}"#), None);
        assert_eq!(uuid(r#"{"\ud800":"\ud800","uuid":"a"}"#).as_deref(), Some("a"));
        assert_eq!(uuid("{}"), None);
    }

    #[test]
    fn what_no_database_can_compare_is_no_uuid() {
        assert_eq!(uuid(r#"{"uuid":"a\u0000"}"#), None);
        assert_eq!(uuid(r#"{"uuid":"\ud800"}"#), None);
        assert_eq!(uuid(&format!(r#"{{"uuid":"{}"}}"#, "a".repeat(MAX_UUID + 1))), None);
        assert!(uuid(&format!(r#"{{"uuid":"{}"}}"#, "a".repeat(MAX_UUID))).is_some());
    }
}
