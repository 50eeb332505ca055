//! One line of a transcript.

use serde_json::value::RawValue;

/// One entry: a JSON object that is passed on as it is.
#[derive(Clone, Debug)]
pub struct Entry(Box<RawValue>);

impl Entry {
    /// An entry of this JSON, which must be an object; `None` if it is something else.
    #[must_use]
    pub fn new(json: Box<RawValue>) -> Option<Self> {
        json.get().starts_with('{').then_some(Self(json))
    }

    /// The JSON.
    #[must_use]
    pub fn json(&self) -> &RawValue {
        &self.0
    }

    /// The member `uuid`, if it is a string: what makes appending idempotent.
    #[must_use]
    pub fn uuid(&self) -> Option<String> {
        #[derive(serde::Deserialize)]
        struct Uuid {
            uuid: Option<serde_json::Value>,
        }
        let Uuid { uuid } = serde_json::from_str(self.0.get()).ok()?;
        uuid?.as_str().map(str::to_owned)
    }
}
