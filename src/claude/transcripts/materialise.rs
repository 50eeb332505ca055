//! Loads a session's transcripts from the transcript store and writes them where the CLI looks for them.
//!
//! Measured: `--resume` needs only the main transcript, in the CLI's directory for the working directory. The
//! members of an entry may have any order, and entries may come from another working directory. Sub-agents'
//! transcripts lie below it, each with a `.meta.json`, which is stored as an entry of type `agent_metadata`.
//! Files that the transcripts name are written by [`kept_files`](super::kept_files).

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Map, Value};
use tokio::time::{Instant, sleep, timeout};

use super::{
    cleared::since_clear,
    cli_files::Project,
    config_root::private_dir,
    deferred::Deferred,
    fork, gaps,
    kept_files::{self, Rewrite, Stored},
    safe_paths::{create, is_collision, is_safe},
};
use crate::{
    agent::Fork,
    storage::transcripts::{Entry, StoreError, StoreFuture, TranscriptKey, TranscriptStore},
};

/// How long requests to an unavailable transcript store are repeated before the start fails.
const PATIENCE: Duration = Duration::from_secs(5);

/// The timeout of one request to the transcript store.
const NO_ANSWER: Duration = Duration::from_secs(30);

/// Number of entries that are stored in one request.
const STORED_AT_ONCE: usize = 200;

/// The pause between two requests.
const PAUSE: Duration = Duration::from_millis(200);

/// The transcripts of a session in the transcript store.
#[derive(Debug)]
pub(crate) struct Past {
    /// The key of the main transcript.
    pub(crate) key: TranscriptKey,
    main: Vec<Entry>,
    others: Vec<(String, Vec<Entry>)>,
    /// The session's other files, and the config directories of its earlier agents.
    files: Vec<Entry>,
}

impl Past {
    /// Loads the transcripts from this project, or else from another that holds the session. `None` if there
    /// are none.
    pub(crate) async fn load(
        store: &dyn TranscriptStore,
        project: &Project,
        session_id: &str,
    ) -> Result<Option<Self>, StoreError> {
        let Some((key, main)) = load_main(store, project, session_id).await? else { return Ok(None) };
        let (mut others, mut files) = (Vec::new(), Vec::new());
        for subpath in patiently(|| store.list_subkeys(&key)).await? {
            if !is_safe(&subpath) {
                tracing::warn!(subpath, session = session_id, "ignored a transcript whose subpath is unsafe");
                continue;
            }
            let sub = key.with_subpath(&subpath);
            let entries = patiently(|| store.load(&sub)).await?;
            match &*subpath {
                kept_files::SUBPATH => files = entries.unwrap_or_default(),
                _ => others.extend(entries.map(|entries| (subpath, entries))),
            }
        }
        Ok(Some(Self { key, main: gaps::close(since_clear(main)), others, files }))
    }

    /// Copies the transcripts of the session that is forked, up to the end of the fork's last turn, and stores the copy
    /// for the session with this id. `None` if the transcript store does not have this turn.
    pub(crate) async fn fork(
        store: &dyn TranscriptStore,
        project: &Project,
        fork: &Fork,
        session_id: &str,
    ) -> Result<Option<Self>, StoreError> {
        let Some(source) = Self::load(store, project, &fork.session_id).await? else { return Ok(None) };
        let Some(main) = fork::main(&source.main, fork, session_id) else { return Ok(None) };
        let of_session = |entries: Vec<Entry>| {
            entries.iter().map(|entry| fork::of_session(entry, session_id)).collect::<Vec<_>>()
        };
        let others = source.others.into_iter().map(|(subpath, entries)| (subpath, of_session(entries)));
        let past = Self {
            key: TranscriptKey::main(source.key.project_key, session_id),
            main,
            others: others.collect(),
            files: fork::files(&source.files, &fork.session_id, session_id),
        };
        past.store(store).await?;
        Ok(Some(past))
    }

    async fn store(&self, store: &dyn TranscriptStore) -> Result<(), StoreError> {
        let others = self.others.iter().map(|(subpath, entries)| (&**subpath, entries));
        for (subpath, entries) in
            [("", &self.main), (kept_files::SUBPATH, &self.files)].into_iter().chain(others)
        {
            let key = self.key.with_subpath(subpath);
            for entries in entries.chunks(STORED_AT_ONCE) {
                patiently(|| store.append(&key, entries)).await?;
            }
        }
        Ok(())
    }

    /// Whether the main transcript holds a message, without which the CLI cannot resume.
    pub(crate) fn holds_a_message(&self) -> bool {
        self.main.iter().any(|entry| kind(entry).is_some_and(|kind| kind == "user"))
    }

    /// Adds the entries that make the CLI ask again, and returns them.
    pub(crate) fn defer(&mut self, deferred: &Deferred) -> Vec<Entry> {
        let entries = deferred.entries(&self.main);
        self.main.extend_from_slice(&entries);
        entries
    }

    /// Returns the path of the main transcript below a config directory.
    pub(crate) fn path(&self, config_dir: &Path, project: &Project) -> PathBuf {
        let folder = config_dir.join("projects").join(project.folder_for(&self.key.project_key));
        folder.join(format!("{}.jsonl", self.key.session_id))
    }

    /// Writes the transcripts and the session's other files below a config directory. Blocks.
    pub(crate) fn write(&self, config_dir: &Path, project: &Project) -> io::Result<()> {
        let path = self.path(config_dir, project);
        let session = path.with_extension("");
        private_dir().recursive(true).create(&session)?;
        let stored = Stored::of(&self.files);
        stored.write(config_dir, &session)?;
        let rewrite = stored.rewrite(config_dir, &session);
        write_lines(&path, self.main.iter(), &rewrite)?;
        for (subpath, entries) in &self.others {
            match write_sub_agent(&session, subpath, entries, &rewrite) {
                // Such as `a.jsonl` as a file and as a directory.
                Err(error) if is_collision(&error) => {
                    tracing::warn!(subpath, %error, "ignored a sub-agent's transcript whose path collides");
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

/// Selects one of the projects that hold the session: this project, or the one that was written to last.
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

/// Repeats a request while the transcript store is unavailable, for at most [`PATIENCE`].
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

fn kind(entry: &Entry) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Kind {
        r#type: Option<Value>,
    }
    let Kind { r#type } = serde_json::from_str(entry.json().get()).ok()?;
    r#type?.as_str().map(str::to_owned)
}

fn write_sub_agent(
    session: &Path,
    subpath: &str,
    entries: &[Entry],
    rewrite: &Rewrite<'_>,
) -> io::Result<()> {
    let file = session.join(format!("{subpath}.jsonl"));
    if let Some(folder) = file.parent() {
        private_dir().recursive(true).create(folder)?;
    }
    let (metadata, lines): (Vec<&Entry>, Vec<&Entry>) =
        entries.iter().partition(|entry| kind(entry).is_some_and(|kind| kind == "agent_metadata"));
    if !lines.is_empty() {
        write_lines(&file, lines.into_iter(), rewrite)?;
    }
    let Some(newest) = metadata.last() else { return Ok(()) };
    let mut members: Map<String, Value> = serde_json::from_str(newest.json().get())?;
    members.remove("type");
    create(&session.join(format!("{subpath}.meta.json")))?.write_all(&serde_json::to_vec(&members)?)
}

fn write_lines<'a>(
    path: &Path,
    entries: impl Iterator<Item = &'a Entry>,
    rewrite: &Rewrite<'_>,
) -> io::Result<()> {
    let mut file = io::BufWriter::new(create(path)?);
    for entry in entries {
        // A raw line break in JSON is white space between tokens; in strings it is escaped.
        let line = rewrite.apply(entry.json().get()).replace(['\n', '\r'], " ");
        writeln!(file, "{line}")?;
    }
    file.flush()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn entry(json: &str) -> Entry {
        json.parse().unwrap()
    }

    fn past(main: &[&str], others: &[(&str, &[&str])]) -> Past {
        let entries = |lines: &[&str]| lines.iter().map(|line| entry(line)).collect();
        Past {
            key: TranscriptKey::main("-elsewhere", "s"),
            main: entries(main),
            others: others.iter().map(|(subpath, lines)| ((*subpath).to_owned(), entries(lines))).collect(),
            files: Vec::new(),
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
