//! Copies a transcript, up to the end of a turn, for another session.
//!
//! Measured: the entry that begins a turn has a member `promptSource`, whoever began the turn; those of tool results and
//! interrupts do not. The CLI continues from any such copy under the session's new id.

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    io::{self, Write},
    path::Path,
};

use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};

use super::{cli_files, config_root::private_dir, safe_paths::create};
use crate::{agent::Fork, storage::transcripts::Entry};

/// The folders of a config directory with a folder for each session.
const OF_SESSIONS: [&str; 3] = ["file-history", "session-env", "tasks"];

/// Maximum nesting of a session's folders.
const DEPTH: usize = 8;

/// What places an entry in the conversation.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Place<'a> {
    #[serde(borrow)]
    r#type: Option<&'a RawValue>,
    uuid: Option<String>,
    #[serde(borrow)]
    prompt_source: Option<&'a RawValue>,
    message: Option<Message>,
}

#[derive(Deserialize)]
struct Message {
    id: Option<String>,
}

/// The entries up to the end of the fork's last turn, for the session with this id. `None` if the transcript does not
/// have this turn.
pub(crate) fn main(entries: &[Entry], fork: &Fork, session_id: &str) -> Option<Vec<Entry>> {
    let places: Vec<Option<Place<'_>>> =
        entries.iter().map(|entry| serde_json::from_str(entry.json().get()).ok()).collect();
    let is_last = |place: &Place<'_>| {
        let id = place.message.as_ref().and_then(|message| message.id.as_ref());
        place.uuid.is_some() && place.uuid == fork.message_uuid
            || id.is_some() && id == fork.message_id.as_ref()
    };
    let last = places.iter().rposition(|place| place.as_ref().is_some_and(is_last))?;
    let next = places[last + 1..].iter().position(|place| {
        let Some(Place { r#type, prompt_source, .. }) = place else { return false };
        prompt_source.is_some() || r#type.is_some_and(|kind| kind.get() == r#""queue-operation""#)
    });
    let end = next.map_or(entries.len(), |next| last + 1 + next);
    // The new session counts its own cost.
    let is_cost = |place: &&Place<'_>| place.r#type.is_some_and(|kind| kind.get() == r#""cost-state""#);
    let kept =
        entries[..end].iter().zip(&places).filter(|(_, place)| place.as_ref().filter(is_cost).is_none());
    Some(kept.map(|(entry, _)| of_session(entry, session_id)).collect())
}

/// The entry as one of the session with this id.
pub(crate) fn of_session(entry: &Entry, session_id: &str) -> Entry {
    with(entry, "sessionId", |_| Some(session_id.to_owned())).unwrap_or_else(|| entry.clone())
}

/// The newest version of each file of the session `from`, for the session `to`.
pub(crate) fn files(entries: &[Entry], from: &str, to: &str) -> Vec<Entry> {
    let mut seen = HashSet::new();
    let mut kept: Vec<Entry> = Vec::new();
    for entry in entries.iter().rev() {
        let Some(path) = member(entry, "path") else { continue };
        if seen.insert((member(entry, "type"), path)) {
            kept.push(
                with(entry, "path", |path| Some(path.replace(from, to))).unwrap_or_else(|| entry.clone()),
            );
        }
    }
    kept.reverse();
    kept
}

fn member(entry: &Entry, name: &str) -> Option<String> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(entry.json().get()).ok()?;
    serde_json::from_str(members.get(name)?.get()).ok()
}

/// The entry with another value of this member, if it has it.
fn with(entry: &Entry, name: &str, change: impl FnOnce(&str) -> Option<String>) -> Option<Entry> {
    let mut members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(entry.json().get()).ok()?;
    let value: String = serde_json::from_str(members.get(name)?.get()).ok()?;
    members.insert(name.to_owned(), to_raw_value(&change(&value)?).ok()?);
    Entry::new(to_raw_value(&members).ok()?)
}

/// Copies the transcript and the files of a session within a config directory. Returns whether the transcript has the
/// fork's last turn. Blocks.
pub(crate) fn copy_files(config_dir: &Path, cwd: &Path, fork: &Fork, session_id: &str) -> io::Result<bool> {
    let Some(path) = cli_files::find(config_dir, cwd, &fork.session_id) else { return Ok(false) };
    let entries: Vec<Entry> =
        fs::read_to_string(&path)?.lines().filter_map(|line| line.parse().ok()).collect();
    let Some(entries) = main(&entries, fork, session_id) else { return Ok(false) };
    let mut file = io::BufWriter::new(create(&path.with_file_name(format!("{session_id}.jsonl")))?);
    entries.iter().try_for_each(|entry| writeln!(file, "{}", entry.json()))?;
    file.flush()?;
    copy_tree(&path.with_extension(""), &path.with_file_name(session_id), DEPTH)?;
    for folder in OF_SESSIONS {
        let folder = config_dir.join(folder);
        copy_tree(&folder.join(&fork.session_id), &folder.join(session_id), DEPTH)?;
    }
    Ok(true)
}

/// Copies the regular files of a folder, which may not exist.
fn copy_tree(from: &Path, to: &Path, depth: usize) -> io::Result<()> {
    let entries = match fs::read_dir(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    private_dir().recursive(true).create(to)?;
    for entry in entries {
        let entry = entry?;
        let (kind, to) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() && depth > 0 {
            copy_tree(&entry.path(), &to, depth - 1)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(lines: &[&str]) -> Vec<Entry> {
        lines.iter().map(|line| line.parse().unwrap()).collect()
    }

    fn fork(message_uuid: Option<&str>, message_id: Option<&str>) -> Fork {
        let mut fork = Fork::new("old");
        fork.message_uuid = message_uuid.map(str::to_owned);
        fork.message_id = message_id.map(str::to_owned);
        fork
    }

    #[test]
    fn a_copy_ends_with_its_last_turn() {
        let all = entries(&[
            r#"{"type":"queue-operation","sessionId":"old"}"#,
            r#"{"type":"user","uuid":"u1","promptSource":"sdk","sessionId":"old"}"#,
            r#"{"type":"assistant","uuid":"a1","message":{"id":"m1"},"sessionId":"old"}"#,
            r#"{"type":"user","uuid":"t1","sessionId":"old"}"#,
            r#"{"type":"assistant","uuid":"a2","message":{"id":"m2"},"sessionId":"old"}"#,
            r#"{"type":"cost-state","sessionId":"old"}"#,
            r#"{"type":"file-history-snapshot"}"#,
            r#"{"type":"queue-operation","sessionId":"old"}"#,
            r#"{"type":"user","uuid":"u2","promptSource":"system","sessionId":"old"}"#,
            r#"{"type":"user","uuid":"i2","sessionId":"old"}"#,
        ]);
        let length = |message_uuid, message_id| {
            main(&all, &fork(message_uuid, message_id), "new").map(|copy| copy.len())
        };
        assert_eq!(length(Some("u1"), Some("m2")), Some(6));
        assert_eq!(length(Some("u1"), None), Some(6), "the turn as a whole");
        assert_eq!(length(Some("u2"), Some("m2")), Some(9), "an interrupted turn");
        assert_eq!(length(Some("u3"), Some("m3")), None);
        let copy = main(&all, &fork(Some("u1"), None), "new").unwrap();
        assert!(copy.iter().all(|entry| !entry.json().get().contains("old")), "{copy:?}");
    }

    #[test]
    fn of_each_file_the_newest_version_is_copied() {
        let all = entries(&[
            r#"{"type":"f","path":"file-history/old/a@v1","text":"old"}"#,
            r#"{"type":"f","path":"plans/p.md","text":"1"}"#,
            r#"{"type":"f","path":"plans/p.md","text":"2"}"#,
        ]);
        let copied: Vec<_> =
            files(&all, "old", "new").iter().map(|entry| entry.json().get().to_owned()).collect();
        assert_eq!(
            copied,
            [
                r#"{"path":"file-history/new/a@v1","text":"old","type":"f"}"#,
                r#"{"path":"plans/p.md","text":"2","type":"f"}"#,
            ]
        );
    }
}
