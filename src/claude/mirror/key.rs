//! Which transcript a file of the CLI's is.

use std::path::{Component, Path, PathBuf};

use crate::store::TranscriptKey;

/// Maps files to keys, as the Claude Agent SDK does it.
#[derive(Debug)]
pub(in crate::claude) struct Keys {
    /// The CLI's folder of transcripts.
    projects: PathBuf,
    /// This session's transcripts stay under the project where they are, wherever the CLI works now.
    adopted: Option<TranscriptKey>,
}

impl Keys {
    /// For the CLI whose configuration is in this folder. A session that was found in the store keeps the
    /// key of its main transcript.
    pub(in crate::claude) fn new(config_dir: &Path, adopted: Option<TranscriptKey>) -> Self {
        Self { projects: config_dir.join("projects"), adopted }
    }

    /// `<projects>/<project_key>/<session_id>.jsonl`, or a sub-agent's
    /// `<projects>/<project_key>/<session_id>/<subpath>.jsonl`.
    pub(super) fn of(&self, file: &str) -> Option<TranscriptKey> {
        let below = Path::new(file).strip_prefix(&self.projects).ok()?;
        let parts: Vec<&str> = below
            .components()
            .map(|part| match part {
                Component::Normal(name) => name.to_str(),
                _ => None,
            })
            .collect::<Option<_>>()?;
        let key = match parts[..] {
            [project, file] => TranscriptKey::main(project, file.strip_suffix(".jsonl")?),
            [project, session, _, _, ..] => {
                let subpath = parts[2..].join("/");
                let subpath = subpath.strip_suffix(".jsonl").unwrap_or(&subpath);
                TranscriptKey::main(project, session).with_subpath(subpath)
            }
            _ => return None,
        };
        match &self.adopted {
            Some(adopted) if adopted.session_id == key.session_id => Some(adopted.with_subpath(key.subpath)),
            _ => Some(key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(keys: &Keys, file: &str) -> Option<String> {
        let TranscriptKey { project_key, session_id, subpath } = keys.of(file)?;
        Some(format!("{project_key} {session_id} {subpath}"))
    }

    #[test]
    fn files_are_named_as_the_sdk_names_them() {
        let keys = Keys::new(Path::new("/c"), None);
        let named = |file: &str| shown(&keys, file);
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
        let keys = Keys::new(Path::new("/c"), Some(TranscriptKey::main("-old", "s")));
        let named = |file: &str| shown(&keys, file);
        assert_eq!(named("/c/projects/-new/s.jsonl").as_deref(), Some("-old s "));
        assert_eq!(named("/c/projects/-new/s/a/b.jsonl").as_deref(), Some("-old s a/b"));
        assert_eq!(named("/c/projects/-new/t.jsonl").as_deref(), Some("-new t "));
    }
}
