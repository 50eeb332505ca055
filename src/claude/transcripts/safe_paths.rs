//! Paths that come from a transcript store, and files at them.

use std::{fs, io, os::unix::fs::OpenOptionsExt, path::Path};

/// The maximum length of a path, in bytes. The CLI's are much shorter.
const LONGEST_PATH: usize = 512;

/// The maximum length of a part of a path, in bytes: file systems allow 255, of which the extension needs
/// some.
const LONGEST_PART: usize = 200;

/// Whether a path is relative, stays below its root and has only ordinary names. A transcript store may be
/// shared, so its paths are not trusted.
pub(super) fn is_safe(path: &str) -> bool {
    let odd = |char: char| char.is_control() || matches!(char, '\\' | ':');
    let ordinary = |part: &str| {
        !part.is_empty() && part.len() <= LONGEST_PART && !part.starts_with('.') && !part.contains(odd)
    };
    path.len() <= LONGEST_PATH && path.split('/').all(ordinary)
}

/// Creates a file that only this user can access.
pub(super) fn create(path: &Path) -> io::Result<fs::File> {
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Whether a file could not be created because its path collides with another one from the transcript store.
pub(super) fn is_collision(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_paths_are_told_from_the_clis() {
        for good in
            ["subagents/agent-a1", "subagents/workflows/wf_1/agent-2", "a b/ö", "file-history/s/5cee@v2"]
        {
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
}
