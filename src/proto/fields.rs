//! Request bodies, checked field by field.

use serde_json::value::RawValue;

use super::{
    Decision, ForkOf, Invalid,
    json::{self, Members, Object},
};

/// Maximum nesting of a body, because agents parse recursively. No real message is nested this deep.
const MAX_DEPTH: usize = 128;

/// The longest name in a body, in bytes: an id, a model, a mode, a tool.
pub(super) const MAX_NAME: usize = 1024;

/// The longest path in a body, in bytes; Linux opens no longer one.
const MAX_PATH: usize = 4096;

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
        let lone = |place: &str| Err(Invalid::LoneSurrogate(place.to_owned()));
        // Looked for before any string is decoded, because the decoder has no better word for it than "not a string".
        if !json::has_lone_surrogate(raw.get()) {
            return serde_json::from_str(raw.get())
                .map(Self)
                .map_err(|error| Invalid::NotJson(error.to_string()));
        }
        let Ok(members) = serde_json::from_str::<Members<'_>>(raw.get()) else {
            return lone("the name of a member");
        };
        let named = members.iter().find(|(_, value)| json::has_lone_surrogate(value.get()));
        // An earlier member of the same name may have had it.
        lone(named.map_or("the body", |(name, _)| name))
    }

    /// Returns a member that is present and not null.
    fn given(&self, name: &str) -> Option<&'a RawValue> {
        self.0.get(name).copied().filter(|raw| raw.get() != "null")
    }

    pub(super) fn required(&self, name: &str) -> Result<&'a RawValue, Invalid> {
        self.0.get(name).copied().ok_or_else(|| Invalid::Field(format!("{name} is missing")))
    }

    /// A word that must be given and is compared with others: an id, or a word of the protocol.
    pub(super) fn word(&self, name: &str) -> Result<String, Invalid> {
        let value =
            text(self.required(name)?).ok_or_else(|| Invalid::Field(format!("{name} must be a string")))?;
        short(name, value, MAX_NAME)
    }

    /// A name that must be given. It may become an argument of a process.
    pub(super) fn name(&self, name: &str) -> Result<String, Invalid> {
        without_nul(name, self.word(name)?)
    }

    /// A name that may be absent, null or empty. It may become an argument of a process.
    pub(super) fn optional_name(&self, name: &str) -> Result<Option<String>, Invalid> {
        self.argument(name, MAX_NAME)
    }

    /// A path that may be absent, null or empty.
    pub(super) fn optional_path(&self, name: &str) -> Result<Option<String>, Invalid> {
        self.argument(name, MAX_PATH)
    }

    fn argument(&self, name: &str, longest: usize) -> Result<Option<String>, Invalid> {
        let value = self.optional_string(name)?.filter(|value| !value.is_empty());
        value.map(|value| without_nul(name, short(name, value, longest)?)).transpose()
    }

    fn optional_string(&self, name: &str) -> Result<Option<String>, Invalid> {
        self.given(name)
            .map(|raw| text(raw).ok_or_else(|| Invalid::Field(format!("{name} must be a string or null"))))
            .transpose()
    }

    /// A v4 uuid that may be absent or null, in its usual form.
    pub(super) fn optional_uuid(&self, name: &str) -> Result<Option<String>, Invalid> {
        let value = self.optional_string(name)?.map(|value| value.to_ascii_lowercase());
        match value {
            Some(value) if !is_v4(&value) => Err(Invalid::Field(format!("{name} must be a v4 uuid"))),
            value => Ok(value),
        }
    }

    /// A v4 uuid that must be given.
    pub(super) fn uuid(&self, name: &str) -> Result<String, Invalid> {
        self.required(name)?;
        self.optional_uuid(name)?.ok_or_else(|| Invalid::Field(format!("{name} must be a v4 uuid")))
    }

    /// A positive amount that may be absent or null.
    pub(super) fn optional_usd(&self, name: &str) -> Result<Option<f64>, Invalid> {
        let Some(raw) = self.given(name) else { return Ok(None) };
        let usd = serde_json::from_str(raw.get()).ok().filter(|usd: &f64| usd.is_finite() && *usd > 0.0);
        usd.map(Some).ok_or_else(|| Invalid::Field(format!("{name} must be a number above 0")))
    }

    pub(super) fn optional_bool(&self, name: &str) -> Result<bool, Invalid> {
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

    fn updated_permissions(&self) -> Result<Option<Box<RawValue>>, Invalid> {
        const NAME: &str = "updated_permissions";
        let updates = self.optional_raw(NAME, '[', "an array")?;
        if let Some(updates) = &updates {
            check_names(NAME, updates)?;
        }
        Ok(updates)
    }

    pub(super) fn fork_of(&self) -> Result<Option<ForkOf>, Invalid> {
        const NAME: &str = "fork_of";
        let Some(raw) = self.given(NAME) else { return Ok(None) };
        let fields = Self(object(NAME, raw)?);
        let fork = || {
            let session_id = fields.word("session_id")?;
            Ok(ForkOf { session_id, after_message_uuid: fields.optional_uuid("after_message_uuid")? })
        };
        fork().map(Some).map_err(|invalid| match invalid {
            Invalid::Field(text) => Invalid::Field(format!("{NAME}.{text}")),
            other => other,
        })
    }

    pub(super) fn elicitation(&self) -> Result<Box<RawValue>, Invalid> {
        let action = self.word("action")?;
        let content = self.optional_raw("content", '{', "an object")?;
        let answer = Object::new().string("action", &action);
        match (action.as_str(), content) {
            ("accept", Some(content)) => Ok(json::into_raw(answer.raw("content", &content).finish())),
            ("accept" | "decline" | "cancel", None) => Ok(json::into_raw(answer.finish())),
            ("decline" | "cancel", Some(_)) => {
                Err(Invalid::Field("content goes with action \"accept\" only".into()))
            }
            (unknown, _) => Err(Invalid::Field(format!(
                "action must be \"accept\", \"decline\" or \"cancel\", not {unknown:?}"
            ))),
        }
    }

    pub(super) fn decision(&self) -> Result<Decision, Invalid> {
        let interrupt = self.optional_bool("interrupt")?;
        let message = self.optional_string("message")?;
        match self.word("behavior")?.as_str() {
            "allow" if interrupt => Err(Invalid::Field("interrupt goes with behavior \"deny\" only".into())),
            "allow" => Ok(Decision::Allow {
                updated_input: self.optional_raw("updated_input", '{', "an object")?,
                updated_permissions: self.updated_permissions()?,
            }),
            "deny" => Ok(Decision::Deny { message, interrupt }),
            unknown => {
                Err(Invalid::Field(format!("behavior must be \"allow\" or \"deny\", not {unknown:?}")))
            }
        }
    }
}

/// Whether this is a v4 uuid in lower case.
fn is_v4(text: &str) -> bool {
    let place = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        14 => byte == b'4',
        19 => matches!(byte, b'8' | b'9' | b'a' | b'b'),
        _ => byte.is_ascii_hexdigit(),
    };
    text.len() == 36 && text.bytes().enumerate().all(place)
}

fn short(name: &str, value: String, longest: usize) -> Result<String, Invalid> {
    if value.len() > longest {
        return Err(Invalid::Field(format!("{name} must not be longer than {longest} bytes")));
    }
    Ok(value)
}

/// No argument of a process can hold a NUL, and no text in Postgres.
fn without_nul(name: &str, value: String) -> Result<String, Invalid> {
    if value.contains('\0') {
        return Err(Invalid::Field(format!("{name} must not hold a NUL character")));
    }
    Ok(value)
}

/// Checks the names in permission updates, wherever they stand. The content of a rule is no name.
fn check_names(path: &str, raw: &RawValue) -> Result<(), Invalid> {
    if let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(raw.get()) {
        return items
            .into_iter()
            .enumerate()
            .try_for_each(|(at, item)| check_names(&format!("{path}[{at}]"), item));
    }
    let Ok(members) = serde_json::from_str::<Members<'_>>(raw.get()) else { return Ok(()) };
    members.into_iter().try_for_each(|(key, value)| match (key.as_str(), text(value)) {
        ("rules", _) => check_names(&format!("{path}.rules"), value),
        ("type" | "mode" | "behavior" | "destination" | "toolName", Some(name)) => {
            let path = format!("{path}.{key}");
            without_nul(&path, short(&path, name, MAX_NAME)?).map(drop)
        }
        _ => Ok(()),
    })
}

pub(super) fn text(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

/// Checks the content of a user's message: a string, or an array of text and image blocks.
pub(super) fn content(raw: &RawValue) -> Result<Box<RawValue>, Invalid> {
    if raw.get().starts_with('"') {
        return Ok(json::owned(raw));
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
