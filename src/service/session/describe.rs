//! A session as `GET /sessions` and `GET /sessions/{id}` tell it.

use std::{borrow::Cow, collections::BTreeMap};

use serde::Serialize;
use serde_json::value::RawValue;

use crate::{proto::state_of, storage::catalog::SessionRecord};

/// What is told beside the note.
#[derive(Serialize)]
pub(crate) struct Description<'a> {
    pub(crate) session_id: &'a str,
    pub(crate) oldest_seq: u64,
    pub(crate) as_of_seq: u64,
    pub(crate) model: Option<&'a str>,
    pub(crate) permission_mode: Option<&'a str>,
    pub(crate) cwd: Cow<'a, str>,
    /// The beginning of its first message.
    pub(crate) title: Option<&'a str>,
    /// Milliseconds since the epoch.
    pub(crate) created_at: u64,
    /// Milliseconds since the epoch.
    pub(crate) active_at: u64,
}

/// The members of a note that clients see, by name.
pub(crate) type Members = BTreeMap<String, Box<RawValue>>;

impl Description<'_> {
    /// The session as a JSON object: what is known of it here, and these members of its note.
    pub(crate) fn write(&self, note: &Members) -> Box<RawValue> {
        let mut object = serde_json::to_string(self).expect("made of strings and numbers");
        object.pop();
        for (name, value) in note {
            object.push_str(&format!(",\"{name}\":{value}"));
        }
        object.push('}');
        RawValue::from_string(object).expect("an object was opened and closed")
    }
}

pub(crate) fn members(note: &str) -> Members {
    serde_json::from_str(&format!("{{{}}}", state_of(note))).unwrap_or_default()
}

/// A session that is stored and not in memory, without its open prompts. One that runs nowhere is idle: what
/// its note tells else was cut, and will have ended when the session is restored.
pub(crate) fn stored(record: &SessionRecord) -> Box<RawValue> {
    let (oldest_seq, as_of_seq, note) = match &record.stream {
        Some(stream) => (stream.oldest_seq, stream.last_seq, stream.note.as_deref().unwrap_or_default()),
        None => (1, 0, &[][..]),
    };
    let mut members = members(&String::from_utf8_lossy(note));
    members.remove("pending");
    if !record.elsewhere {
        let idle = RawValue::from_string(r#""idle""#.to_owned()).expect("a string");
        members.insert("status".to_owned(), idle);
    }
    Description {
        session_id: &record.id,
        oldest_seq,
        as_of_seq,
        model: record.metadata.model.as_deref(),
        permission_mode: record.metadata.permission_mode.as_deref(),
        cwd: record.cwd.to_string_lossy(),
        title: record.metadata.title.as_deref(),
        created_at: record.created_at_ms.unsigned_abs(),
        active_at: record.active_at_ms.unsigned_abs(),
    }
    .write(&members)
}
