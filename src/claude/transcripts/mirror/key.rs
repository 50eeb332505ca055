//! Maps the CLI's transcript files to keys of the transcript store.

use std::path::{Component, Path, PathBuf};

use crate::storage::transcripts::TranscriptKey;

/// Maps files to keys as the Claude Agent SDK does, except that all keys have this session's id: after
/// `/clear` the CLI continues under a new session id, which no client knows.
#[derive(Debug)]
pub(crate) struct Keys {
    /// The CLI's directory of transcripts.
    projects: PathBuf,
    session_id: String,
    /// The project key under which the session is stored, even if the CLI now works in another directory. If
    /// it is not known at the start, the first transcript decides.
    project_key: Option<String>,
}

impl Keys {
    /// Creates the mapping for a CLI with this config directory. `project_key` is the key under which the
    /// session was found in the transcript store, if it was.
    pub(crate) fn new(config_dir: &Path, session_id: &str, project_key: Option<String>) -> Self {
        Self { projects: config_dir.join("projects"), session_id: session_id.to_owned(), project_key }
    }

    /// Returns the key of `<projects>/<project_key>/<session_id>.jsonl`, or of a sub-agent's
    /// `<projects>/<project_key>/<session_id>/<subpath>.jsonl`.
    pub(crate) fn of(&mut self, file: &str) -> Option<TranscriptKey> {
        let below = Path::new(file).strip_prefix(&self.projects).ok()?;
        let parts: Vec<&str> = below
            .components()
            .map(|part| match part {
                Component::Normal(name) => name.to_str(),
                _ => None,
            })
            .collect::<Option<_>>()?;
        let (project, subpath) = match parts[..] {
            [project, file] => (project, file.strip_suffix(".jsonl").map(|_| String::new())?),
            [project, _, _, _, ..] => {
                let subpath = parts[2..].join("/");
                (project, subpath.strip_suffix(".jsonl").unwrap_or(&subpath).to_owned())
            }
            _ => return None,
        };
        let project_key = self.project_key.get_or_insert_with(|| project.to_owned());
        Some(TranscriptKey::main(&**project_key, &self.session_id).with_subpath(subpath))
    }

    /// Returns the key of another subpath of the session. `None` before the first transcript, if that decides.
    pub(crate) fn with_subpath(&self, subpath: &str) -> Option<TranscriptKey> {
        let project_key = self.project_key.as_deref()?;
        Some(TranscriptKey::main(project_key, &self.session_id).with_subpath(subpath))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(keys: &mut Keys, file: &str) -> Option<String> {
        let TranscriptKey { project_key, session_id, subpath } = keys.of(file)?;
        Some(format!("{project_key} {session_id} {subpath}"))
    }

    #[test]
    fn files_are_named_as_the_sdk_names_them() {
        let mut keys = Keys::new(Path::new("/c"), "s", None);
        let mut named = |file: &str| shown(&mut keys, file);
        assert_eq!(named("/c/projects/-w/s.jsonl").as_deref(), Some("-w s "));
        assert_eq!(
            named("/c/projects/-w/s/subagents/agent-1.jsonl").as_deref(),
            Some("-w s subagents/agent-1")
        );
        assert_eq!(named("/c/projects/-w/s/a/b/c.jsonl").as_deref(), Some("-w s a/b/c"));
        for other in [
            "/c/projects/-w/s.txt",
            "/c/projects/-w/s/agent.jsonl",
            "/c/projects/s.jsonl",
            "/d/projects/-w/s.jsonl",
            "/c/projects/../x/s.jsonl",
            "s.jsonl",
        ] {
            assert_eq!(named(other), None, "{other}");
        }
    }

    #[test]
    fn a_session_that_moved_keeps_its_project() {
        let mut keys = Keys::new(Path::new("/c"), "s", Some("-old".to_owned()));
        let mut named = |file: &str| shown(&mut keys, file);
        assert_eq!(named("/c/projects/-new/s.jsonl").as_deref(), Some("-old s "));
        assert_eq!(named("/c/projects/-new/s/a/b.jsonl").as_deref(), Some("-old s a/b"));
    }

    #[test]
    fn a_session_that_enters_a_worktree_keeps_its_project() {
        let mut keys = Keys::new(Path::new("/c"), "s", None);
        assert_eq!(shown(&mut keys, "/c/projects/-w/s.jsonl").as_deref(), Some("-w s "));
        assert_eq!(shown(&mut keys, "/c/projects/-w-tree/s.jsonl").as_deref(), Some("-w s "));
    }

    #[test]
    fn a_cleared_conversation_is_the_sessions_too() {
        let mut keys = Keys::new(Path::new("/c"), "s", None);
        assert_eq!(shown(&mut keys, "/c/projects/-w/other.jsonl").as_deref(), Some("-w s "));
        assert_eq!(shown(&mut keys, "/c/projects/-w/other/a/b.jsonl").as_deref(), Some("-w s a/b"));
    }
}
