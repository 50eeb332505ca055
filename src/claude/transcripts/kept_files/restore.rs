//! Writes kept files below a new config directory, and names that directory in the transcripts.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashSet},
    io::{self, Write},
    path::Path,
};

use super::{
    JOURNAL, RUNS, SESSION_TREES, TREES,
    format::{Record, Version, record},
};
use crate::{
    claude::transcripts::{
        config_root::private_dir,
        safe_paths::{create, is_collision, is_safe},
    },
    storage::transcripts::Entry,
};

/// The files of a session in the transcript store.
#[derive(Debug)]
pub(crate) struct Stored<'a> {
    /// The newest version of each file.
    files: BTreeMap<Cow<'a, str>, Version<'a>>,
    /// The config directories of the session's earlier agents.
    config_dirs: HashSet<Cow<'a, str>>,
}

impl<'a> Stored<'a> {
    /// Reads the entries of the subpath, oldest first.
    pub(crate) fn of(entries: &'a [Entry]) -> Self {
        let mut stored = Self { files: BTreeMap::new(), config_dirs: HashSet::new() };
        for record in entries.iter().filter_map(record) {
            match record {
                Record::File { path, version } => drop(stored.files.insert(path, version)),
                Record::ConfigDir(path) => drop(stored.config_dirs.insert(path)),
            }
        }
        stored
    }

    /// Writes the files below a config directory and this directory of the session. Blocks.
    pub(crate) fn write(&self, config_dir: &Path, session: &Path) -> io::Result<()> {
        for (path, version) in &self.files {
            let Some(content) = version.content() else { continue };
            let tree = path.split_once('/').map_or("", |(tree, _)| tree);
            let of_session = SESSION_TREES.contains(&tree) || is_journal(path);
            let root = if of_session { session } else { config_dir };
            if !is_safe(path) || !(of_session || TREES.contains(&tree)) {
                tracing::warn!(path = &**path, "ignored a stored file whose path is unsafe");
                continue;
            }
            match write(&root.join(&**path), &content) {
                Err(error) if is_collision(&error) => {
                    tracing::warn!(path = &**path, %error, "ignored a stored file whose path collides");
                }
                written => written?,
            }
        }
        Ok(())
    }

    /// Returns how to rewrite the transcripts for this config directory and this directory of the session.
    pub(crate) fn rewrite(&self, config_dir: &Path, session: &Path) -> Rewrite<'_> {
        let [to, session] = [config_dir, session].map(|path| path.to_str().filter(|path| is_plain(path)));
        let (Some(to), Some(session)) = (to, session) else { return Rewrite::default() };
        let from: HashSet<&str> =
            self.config_dirs.iter().map(|path| &**path).filter(|path| is_plain(path)).collect();
        let lengths = from.iter().map(|path| path.len()).collect();
        Rewrite { from, lengths, to: to.to_owned(), session: session.to_owned() }
    }
}

fn is_journal(path: &str) -> bool {
    let run = path.strip_prefix(RUNS).and_then(|rest| rest.strip_suffix(JOURNAL));
    run.is_some_and(|run| run.len() > 2 && run.starts_with('/') && run.ends_with('/'))
}

fn write(file: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        private_dir().recursive(true).create(folder)?;
    }
    create(file)?.write_all(content)
}

/// Whether a path is absolute and the same in JSON, without escapes. A JSON text in which such a path is
/// replaced by another stays JSON: `/` occurs in strings alone.
fn is_plain(path: &str) -> bool {
    let escaped = |char: char| char.is_control() || matches!(char, '"' | '\\');
    path.len() > 1 && path.starts_with('/') && !path.ends_with('/') && !path.contains(escaped)
}

/// Replaces the config directories of earlier agents in the transcripts. The CLI names plans and large tool
/// outputs by absolute paths, and it reads files of the session's directory without a prompt.
#[derive(Debug, Default)]
pub(crate) struct Rewrite<'a> {
    from: HashSet<&'a str>,
    /// The lengths of `from`, which are few: they have one form.
    lengths: BTreeSet<usize>,
    to: String,
    /// The session's directory below `to`.
    session: String,
}

impl Rewrite<'_> {
    /// Replaces the directories in an entry's JSON.
    pub(crate) fn apply<'a>(&self, json: &'a str) -> Cow<'a, str> {
        if self.from.is_empty() {
            return Cow::Borrowed(json);
        }
        let (mut rewritten, mut copied) = (String::new(), 0);
        for end in memchr::memchr_iter(b'/', json.as_bytes()) {
            let mut starts = self.lengths.iter().filter_map(|length| end.checked_sub(*length));
            let is_dir = |start: &usize| {
                *start >= copied && json.get(*start..end).is_some_and(|dir| self.from.contains(dir))
            };
            let Some(start) = starts.find(is_dir) else { continue };
            rewritten.push_str(&json[copied..start]);
            copied = match session_dir(&json[end..]) {
                Some(length) => {
                    rewritten.push_str(&self.session);
                    end + length
                }
                None => {
                    rewritten.push_str(&self.to);
                    end
                }
            };
        }
        if copied == 0 {
            return Cow::Borrowed(json);
        }
        rewritten.push_str(&json[copied..]);
        Cow::Owned(rewritten)
    }
}

/// Returns the length of `/projects/<project>/<session>` at the beginning of a longer path. Project and session
/// are other ones after a move to a worktree, or after `/clear`.
fn session_dir(path: &str) -> Option<usize> {
    let rest = path.strip_prefix("/projects/")?;
    let (project, rest) = rest.split_once('/')?;
    let (session, rest) = rest.split_once('/')?;
    let is_session = !project.contains(['"', '\\']) && uuid::Uuid::try_parse(session).is_ok();
    is_session.then_some(path.len() - rest.len() - 1)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    const ID: &str = "5b181949-e7a5-4552-9814-74e14b23ec5d";

    fn entries(lines: &[&str]) -> Vec<Entry> {
        lines.iter().map(|line| line.parse().unwrap()).collect()
    }

    fn file(path: &str, content: &str) -> String {
        format!(r#"{{"type":"agent_webkit_file","path":"{path}",{content}}}"#)
    }

    #[test]
    fn the_newest_version_of_each_file_is_written() {
        let root = tempfile::tempdir().unwrap();
        let session = root.path().join("projects/-w/s");
        let lines = [
            file("plans/a.md", r#""text":"one""#),
            file("plans/a.md", r#""text":"two""#),
            file("plans/b.md", r#""text":"gone""#),
            file("plans/b.md", r#""removed":true"#),
            file("file-history/s/5cee@v2", r#""hex":"ff00""#),
            file("tool-results/c.txt", r#""text":"c""#),
            file("subagents/workflows/wf_1/journal.jsonl", r#""text":"j""#),
        ];
        let entries = entries(&lines.each_ref().map(String::as_str));
        Stored::of(&entries).write(root.path(), &session).unwrap();
        let read = |name: &str| fs::read(root.path().join(name)).ok();
        assert_eq!(read("plans/a.md").unwrap(), b"two");
        assert_eq!(read("plans/b.md"), None);
        assert_eq!(read("file-history/s/5cee@v2").unwrap(), [255, 0]);
        assert_eq!(read("projects/-w/s/tool-results/c.txt").unwrap(), b"c");
        assert_eq!(read("projects/-w/s/subagents/workflows/wf_1/journal.jsonl").unwrap(), b"j");
        let mode = |name: &str| fs::metadata(root.path().join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("plans"), mode("plans/a.md")), (0o700, 0o600));
    }

    #[test]
    fn hostile_paths_are_not_written() {
        let root = tempfile::tempdir().unwrap();
        let config_dir = root.path().join("config");
        let outside = root.path().join("outside");
        let bad = [
            "plans/../../outside",
            "../outside",
            outside.to_str().unwrap(),
            "outside",
            "settings.json",
            "projects/-w/s.jsonl",
            "plans/.x",
            "subagents/agent-x.jsonl",
            "subagents/workflows/wf_1/agent-x.jsonl",
            "subagents/workflows/journal.jsonl",
            "plans",
            "",
        ];
        let mut lines: Vec<String> = bad.iter().map(|path| file(path, r#""text":"x""#)).collect();
        lines.extend(["plans/a", "plans/a/b"].map(|path| file(path, r#""text":"x""#)));
        let entries = entries(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        Stored::of(&entries).write(&config_dir, &config_dir.join("projects/-w/s")).unwrap();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
        assert_eq!(fs::read_dir(&config_dir).unwrap().count(), 1);
        assert_eq!(fs::read_dir(config_dir.join("plans")).unwrap().count(), 1);
    }

    #[test]
    fn transcripts_name_the_new_config_directory() {
        let dirs = ["/tmp/a", "/tmp/bb", "/tmp/ö", "/", "x", "/\\\"q"];
        let line = |path: &&str| {
            format!(r#"{{"type":"agent_webkit_config_dir","path":{}}}"#, serde_json::json!(path))
        };
        let lines = dirs.iter().map(line).collect::<Vec<_>>();
        let entries = entries(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        let stored = Stored::of(&entries);
        let rewrite = stored.rewrite(Path::new("/new"), Path::new("/new/projects/-w/s"));
        for (before, after) in [
            ("/tmp/a/plans/x.md", "/new/plans/x.md"),
            ("see /tmp/ö/b and /tmp/bb/c.", "see /new/b and /new/c."),
            (
                &format!("/tmp/a/projects/-other/{ID}/tool-results/b.txt"),
                "/new/projects/-w/s/tool-results/b.txt",
            ),
            ("/tmp/a/projects/-other/memory/a.md", "/new/projects/-other/memory/a.md"),
            ("/tmp/aa/b", "/tmp/aa/b"),
            ("/tmp/a", "/tmp/a"),
            ("x//y", "x//y"),
        ] {
            assert_eq!(rewrite.apply(before), after);
        }
        let quoted = r#"["/tmp/a/projects/x","y/z/tool-results/b"]"#;
        assert_eq!(rewrite.apply(quoted), quoted.replace("/tmp/a", "/new"));
        let odd = stored.rewrite(Path::new("/new\""), Path::new("/new\"/s"));
        assert_eq!(odd.apply("/tmp/a/b"), "/tmp/a/b");
    }
}
