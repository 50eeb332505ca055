//! A session's past, from the store to where the CLI looks for it.
//!
//! Measured: `--resume` needs the main transcript only, in the folder of the working directory; what it holds
//! may be in any order of members, and may have been written in another directory. Sub-agents' transcripts
//! lie below, each with a `.meta.json` that comes as an entry of the type `agent_metadata`.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::Duration,
};

use serde_json::{Map, Value};
use tokio::time::{Instant, sleep, timeout};

use super::{cleared::since_clear, cli_files::Project, config_dirs::private_dir};
use crate::storage::transcripts::{Entry, StoreError, StoreFuture, TranscriptKey, TranscriptStore};

/// A store that is away is asked for so long before the start is given up.
const PATIENCE: Duration = Duration::from_secs(5);

/// A store that does not answer for so long counts as away.
const NO_ANSWER: Duration = Duration::from_secs(30);

/// The time between two questions.
const PAUSE: Duration = Duration::from_millis(200);

/// No subpath of the CLI's is nearly as long, in bytes.
const LONGEST_SUBPATH: usize = 512;

/// The longest part of one: file systems take 255 bytes, some for the ending.
const LONGEST_PART: usize = 200;

/// What the store has of a session.
#[derive(Debug)]
pub(crate) struct Past {
    /// Its main transcript.
    pub(crate) key: TranscriptKey,
    main: Vec<Entry>,
    others: Vec<(String, Vec<Entry>)>,
}

impl Past {
    /// Loads it, from this project or from whichever has it; `None` if the session has none.
    pub(crate) async fn load(
        store: &dyn TranscriptStore,
        project: &Project,
        session_id: &str,
    ) -> Result<Option<Self>, StoreError> {
        let Some((key, main)) = load_main(store, project, session_id).await? else { return Ok(None) };
        let mut others = Vec::new();
        for subpath in patiently(|| store.list_subkeys(&key)).await? {
            if !is_safe(&subpath) {
                tracing::warn!(subpath, session = session_id, "a transcript with a hostile name is left out");
                continue;
            }
            let sub = key.with_subpath(&subpath);
            others.extend(patiently(|| store.load(&sub)).await?.map(|entries| (subpath, entries)));
        }
        Ok(Some(Self { key, main: since_clear(main), others }))
    }

    /// The CLI can go on from it.
    pub(crate) fn holds_a_message(&self) -> bool {
        self.main.iter().any(|entry| kind(entry).is_some_and(|kind| kind == "user"))
    }

    /// Writes it below a configuration folder. Blocks.
    pub(crate) fn write(&self, config_dir: &Path, project: &Project) -> io::Result<()> {
        let folder = config_dir.join("projects").join(project.folder_for(&self.key.project_key));
        let session = folder.join(&self.key.session_id);
        private_dir().recursive(true).create(&session)?;
        write_lines(&folder.join(format!("{}.jsonl", self.key.session_id)), self.main.iter())?;
        for (subpath, entries) in &self.others {
            match write_sub_agent(&session, subpath, entries) {
                // Two names that cannot both be files.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory
                    ) =>
                {
                    tracing::warn!(subpath, %error, "a sub-agent's transcript is left out");
                }
                written => written?,
            }
        }
        Ok(())
    }
}

async fn load_main(
    store: &dyn TranscriptStore,
    project: &Project,
    session_id: &str,
) -> Result<Option<(TranscriptKey, Vec<Entry>)>, StoreError> {
    if let Some(folder) = project.folder() {
        let key = TranscriptKey::main(folder, session_id);
        if let Some(entries) = patiently(|| store.load(&key)).await? {
            return Ok(Some((key, entries)));
        }
    }
    let found = patiently(|| store.find(session_id)).await?;
    let Some(project_key) = newest(store, project, found, session_id).await? else { return Ok(None) };
    let key = TranscriptKey::main(project_key, session_id);
    Ok(patiently(|| store.load(&key)).await?.map(|entries| (key, entries)))
}

/// Of the projects that hold the session: this one, or where it was gone on with last.
async fn newest(
    store: &dyn TranscriptStore,
    project: &Project,
    mut found: Vec<String>,
    session_id: &str,
) -> Result<Option<String>, StoreError> {
    if let Some(own) = found.iter().position(|key| project.owns(key)) {
        return Ok(Some(found.swap_remove(own)));
    }
    if found.len() < 2 {
        return Ok(found.pop());
    }
    let mut newest = None;
    for key in found {
        let sessions = patiently(|| store.list_sessions(&key)).await?;
        let mtime = sessions.iter().find(|session| session.session_id == session_id).map(|it| it.mtime_ms);
        newest = newest.max(Some((mtime, key)));
    }
    Ok(newest.map(|(_, key)| key))
}

/// Asks again while the store is away, for a few seconds.
async fn patiently<'a, T>(mut ask: impl FnMut() -> StoreFuture<'a, T>) -> Result<T, StoreError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match timeout(NO_ANSWER, ask()).await {
            Err(late) => return Err(StoreError::Unavailable(late.into())),
            Ok(Err(StoreError::Unavailable(_))) if Instant::now() + PAUSE < deadline => sleep(PAUSE).await,
            Ok(answer) => return answer,
        }
    }
}

/// Relative, below the session's folder, made of ordinary names.
fn is_safe(subpath: &str) -> bool {
    let odd = |char: char| char.is_control() || matches!(char, '\\' | ':');
    let ordinary = |part: &str| {
        !part.is_empty() && part.len() <= LONGEST_PART && !part.starts_with('.') && !part.contains(odd)
    };
    subpath.len() <= LONGEST_SUBPATH && subpath.split('/').all(ordinary)
}

fn kind(entry: &Entry) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Kind {
        r#type: Option<Value>,
    }
    let Kind { r#type } = serde_json::from_str(entry.json().get()).ok()?;
    r#type?.as_str().map(str::to_owned)
}

fn write_sub_agent(session: &Path, subpath: &str, entries: &[Entry]) -> io::Result<()> {
    let file = session.join(format!("{subpath}.jsonl"));
    if let Some(folder) = file.parent() {
        private_dir().recursive(true).create(folder)?;
    }
    let (metadata, lines): (Vec<&Entry>, Vec<&Entry>) =
        entries.iter().partition(|entry| kind(entry).is_some_and(|kind| kind == "agent_metadata"));
    if !lines.is_empty() {
        write_lines(&file, lines.into_iter())?;
    }
    let Some(newest) = metadata.last() else { return Ok(()) };
    let mut members: Map<String, Value> = serde_json::from_str(newest.json().get())?;
    members.remove("type");
    create(&session.join(format!("{subpath}.meta.json")))?.write_all(&serde_json::to_vec(&members)?)
}

fn write_lines<'a>(path: &Path, entries: impl Iterator<Item = &'a Entry>) -> io::Result<()> {
    let mut file = io::BufWriter::new(create(path)?);
    for entry in entries {
        // Within JSON line breaks can only be white space: in strings they are escaped.
        let line = entry.json().get().replace(['\n', '\r'], " ");
        writeln!(file, "{line}")?;
    }
    file.flush()
}

fn create(path: &Path) -> io::Result<fs::File> {
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_subpaths_are_told_from_the_clis() {
        for good in ["subagents/agent-a1", "subagents/workflows/wf_1/agent-2", "a b/ö"] {
            assert!(is_safe(good), "{good}");
        }
        let long = ["x".repeat(201), vec!["x"; 300].join("/")];
        let bad = [
            "",
            "/etc/passwd",
            "..",
            "../x",
            "a/../../x",
            "a/./b",
            "a//b",
            "a/",
            ".hidden",
            "a\\..\\b",
            "C:x",
            "a\0b",
            "a\nb",
        ];
        for bad in bad.into_iter().chain(long.iter().map(String::as_str)) {
            assert!(!is_safe(bad), "{bad:?}");
        }
    }

    fn entry(json: &str) -> Entry {
        json.parse().unwrap()
    }

    fn past(main: &[&str], others: &[(&str, &[&str])]) -> Past {
        let entries = |lines: &[&str]| lines.iter().map(|line| entry(line)).collect();
        Past {
            key: TranscriptKey::main("-elsewhere", "s"),
            main: entries(main),
            others: others.iter().map(|(subpath, lines)| ((*subpath).to_owned(), entries(lines))).collect(),
        }
    }

    #[test]
    fn a_message_is_found_whatever_the_spacing() {
        assert!(past(&["{\"uuid\":\"1\", \"type\" : \"user\"}"], &[]).holds_a_message());
        assert!(
            !past(&["{\"type\":\"mode\",\"text\":\"\\\"type\\\":\\\"user\\\"\"}"], &[]).holds_a_message()
        );
    }

    #[test]
    fn a_past_is_written_as_the_cli_wants_it() {
        let root = std::env::temp_dir().join(format!("agent-webkit-past-{}", std::process::id()));
        fs::create_dir(&root).unwrap();
        let sub: &[&str] = &[
            "{\"type\":\"agent_metadata\",\"agentType\":\"x\"}",
            "{\"type\":\"user\"}",
            "{\"type\":\"agent_metadata\",\"agentType\":\"x\",\"finished\":true}",
        ];
        let others = [("subagents/agent-1", sub), ("subagents/agent-1.jsonl/agent-2", sub)];
        past(&["{\n\"a\":1}", "{}"], &others).write(&root, &Project::of(Path::new("/w"))).unwrap();
        let read = |name: &str| fs::read_to_string(root.join("projects/-w").join(name)).unwrap();
        assert_eq!(read("s.jsonl"), "{ \"a\":1}\n{}\n");
        assert_eq!(read("s/subagents/agent-1.jsonl"), "{\"type\":\"user\"}\n");
        assert_eq!(read("s/subagents/agent-1.meta.json"), "{\"agentType\":\"x\",\"finished\":true}");
        fs::remove_dir_all(root).unwrap();
    }
}
