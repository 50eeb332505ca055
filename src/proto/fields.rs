//! Request bodies, checked field by field.

use serde_json::value::RawValue;

use super::{
    Decision, Invalid,
    json::{self, Members},
};

/// Maximum nesting of a body, because agents parse recursively. No real message is nested this deep.
const MAX_DEPTH: usize = 128;

/// The members of a body. Each error names the field.
pub(super) struct Fields<'a>(Members<'a>);

impl<'a> Fields<'a> {
    pub(super) fn parse(body: &'a [u8]) -> Result<Self, Invalid> {
        let raw: &RawValue =
            serde_json::from_slice(body).map_err(|error| Invalid::NotJson(error.to_string()))?;
        if !raw.get().starts_with('{') {
            return Err(Invalid::NotAnObject);
        }
        if json::depth(body) > MAX_DEPTH {
            return Err(Invalid::NotJson(format!("nested deeper than {MAX_DEPTH} levels")));
        }
        serde_json::from_str(raw.get()).map(Self).map_err(|error| Invalid::NotJson(error.to_string()))
    }

    /// Returns a member that is present and not null.
    fn given(&self, name: &str) -> Option<&'a RawValue> {
        self.0.get(name).copied().filter(|raw| raw.get() != "null")
    }

    pub(super) fn required(&self, name: &str) -> Result<&'a RawValue, Invalid> {
        self.0.get(name).copied().ok_or_else(|| Invalid::Field(format!("{name} is missing")))
    }

    pub(super) fn string(&self, name: &str) -> Result<String, Invalid> {
        text(self.required(name)?).ok_or_else(|| Invalid::Field(format!("{name} must be a string")))
    }

    pub(super) fn optional_string(&self, name: &str) -> Result<Option<String>, Invalid> {
        self.given(name)
            .map(|raw| text(raw).ok_or_else(|| Invalid::Field(format!("{name} must be a string or null"))))
            .transpose()
    }

    /// Returns a string that may become a process argument, which must not contain NUL. An empty string is
    /// `None`.
    pub(super) fn argument(&self, name: &str) -> Result<Option<String>, Invalid> {
        let value = self.optional_string(name)?.filter(|value| !value.is_empty());
        match &value {
            Some(value) if value.contains('\0') => {
                Err(Invalid::Field(format!("{name} must not contain a NUL character")))
            }
            _ => Ok(value),
        }
    }

    fn optional_bool(&self, name: &str) -> Result<bool, Invalid> {
        self.given(name).map_or(Ok(false), |raw| {
            serde_json::from_str(raw.get())
                .map_err(|_| Invalid::Field(format!("{name} must be true or false")))
        })
    }

    fn optional_raw(&self, name: &str, opens: char, kind: &str) -> Result<Option<Box<RawValue>>, Invalid> {
        match self.given(name) {
            Some(raw) if !raw.get().starts_with(opens) => {
                Err(Invalid::Field(format!("{name} must be {kind}")))
            }
            given => Ok(given.map(json::owned)),
        }
    }

    pub(super) fn decision(&self) -> Result<Decision, Invalid> {
        let interrupt = self.optional_bool("interrupt")?;
        let message = self.optional_string("message")?;
        match self.string("behavior")?.as_str() {
            "allow" if interrupt => Err(Invalid::Field("interrupt goes with behavior \"deny\" only".into())),
            "allow" => Ok(Decision::Allow {
                updated_input: self.optional_raw("updated_input", '{', "an object")?,
                updated_permissions: self.optional_raw("updated_permissions", '[', "an array")?,
            }),
            "deny" => Ok(Decision::Deny { message, interrupt }),
            unknown => {
                Err(Invalid::Field(format!("behavior must be \"allow\" or \"deny\", not {unknown:?}")))
            }
        }
    }
}

pub(super) fn text(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

/// Checks the content of a user's message: a string, or an array of text and image blocks.
pub(super) fn content(raw: &RawValue) -> Result<Box<RawValue>, Invalid> {
    if raw.get().starts_with('"') {
        return match text(raw) {
            Some(_) => Ok(json::owned(raw)),
            None => Err(Invalid::Field("content is not valid text".into())),
        };
    }
    let blocks: Vec<&RawValue> = serde_json::from_str(raw.get())
        .map_err(|_| Invalid::Field("content must be a string or an array of content blocks".into()))?;
    if blocks.is_empty() {
        return Err(Invalid::Field("content must not be empty".into()));
    }
    for (at, block) in blocks.into_iter().enumerate() {
        check_block(&format!("content[{at}]"), block)?;
    }
    Ok(json::owned(raw))
}

fn check_block(path: &str, block: &RawValue) -> Result<(), Invalid> {
    let fields = object(path, block)?;
    match member(path, &fields, "type")?.as_str() {
        "text" => member(path, &fields, "text").map(drop),
        "image" => {
            let path = format!("{path}.source");
            let source = fields.get("source").ok_or_else(|| Invalid::Field(format!("{path} is missing")))?;
            let source = object(&path, source)?;
            match member(&path, &source, "type")?.as_str() {
                "base64" => {}
                unknown => {
                    return Err(Invalid::Field(format!("{path}.type must be \"base64\", not {unknown:?}")));
                }
            }
            member(&path, &source, "media_type")?;
            member(&path, &source, "data").map(drop)
        }
        unknown => Err(Invalid::Field(format!("{path}.type must be \"text\" or \"image\", not {unknown:?}"))),
    }
}

fn object<'a>(path: &str, raw: &'a RawValue) -> Result<Members<'a>, Invalid> {
    serde_json::from_str(raw.get()).map_err(|_| Invalid::Field(format!("{path} must be an object")))
}

fn member(path: &str, fields: &Members<'_>, name: &str) -> Result<String, Invalid> {
    let raw = fields.get(name).ok_or_else(|| Invalid::Field(format!("{path}.{name} is missing")))?;
    text(raw).ok_or_else(|| Invalid::Field(format!("{path}.{name} must be a string")))
}
