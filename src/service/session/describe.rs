//! The JSON description of a session in the answers to `GET /sessions` and `GET /sessions/{id}`.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    proto::{Note, OpenPrompt, Status},
    storage::catalog::SessionRecord,
};

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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pending: Option<&'a [OpenPrompt]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) session_cost_usd: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) budget_usd: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<Status>,
}

impl Description<'_> {
    pub(crate) fn to_json(&self) -> Box<RawValue> {
        serde_json::value::to_raw_value(self).expect("made of strings and numbers")
    }
}

/// The ids of the prompts that are open after the events that are stored; `None` if that is not known.
#[cfg(feature = "push")]
pub(crate) fn open_prompts(record: &SessionRecord) -> Option<Vec<String>> {
    let note = record.stream.as_ref()?.note.as_deref()?;
    let pending = Note::decode(&String::from_utf8_lossy(note)).pending;
    Some(pending.into_iter().map(|prompt| prompt.correlation_id).collect())
}

/// Describes a session that is stored but not in memory, with its open prompts only if `with_pending`. If no host runs
/// it, its status is the one that it will have once it is restored.
pub(crate) fn stored(record: &SessionRecord, with_pending: bool) -> Box<RawValue> {
    let note = record.stream.as_ref().and_then(|stream| stream.note.as_deref());
    let note = note.map(|note| Note::decode(&String::from_utf8_lossy(note)));
    let status = match &note {
        Some(note) if record.elsewhere => Some(note.status),
        Some(note) => Some(note.status_once_restored()),
        None if record.elsewhere => None,
        None => Some(Status::Idle),
    };
    let (oldest_seq, as_of_seq) = match &record.stream {
        Some(stream) => (stream.oldest_seq, stream.last_seq),
        None => (1, 0),
    };
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
        pending: note.as_ref().map(|note| &*note.pending).filter(|_| with_pending),
        session_cost_usd: note.as_ref().map(|note| note.session_cost_usd),
        budget_usd: note.as_ref().and_then(|note| note.memo.as_ref()?.budget_usd),
        status,
    }
    .to_json()
}
