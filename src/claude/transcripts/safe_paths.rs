//! Paths that come from a transcript store or from an agent, and files at them.

use std::{
    fs,
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use rustix::fs::OFlags;

/// The maximum length of a path, in bytes. The CLI's are much shorter.
const LONGEST_PATH: usize = 512;

/// The maximum length of a part of a path, in bytes: file systems allow 255, of which the extension needs
/// some.
const LONGEST_PART: usize = 200;

/// The maximum size of a small file, in bytes. Settings have a few KiB, and `.claude.json` a few MiB.
const MAX_SMALL: u64 = 64 << 20;

/// Whether a path is relative, stays below its root and has only ordinary names. A transcript store may be
/// shared, so its paths are not trusted.
pub(super) fn is_safe(path: &str) -> bool {
    let odd = |char: char| char.is_control() || matches!(char, '\\' | ':');
    let ordinary = |part: &str| {
        !part.is_empty() && part.len() <= LONGEST_PART && !part.starts_with('.') && !part.contains(odd)
    };
    path.len() <= LONGEST_PATH && path.split('/').all(ordinary)
}

/// Opens an ordinary file that an agent may have written. The agent may have replaced it by a link, or by a pipe,
/// whose opening blocks.
pub(super) fn open_own(path: &Path) -> io::Result<fs::File> {
    open(path, OFlags::NOFOLLOW | OFlags::NONBLOCK)
}

/// Reads a small file, also through a link. Agents may be able to replace it by a pipe or a huge file.
pub(super) fn read_small(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    open(path, OFlags::NONBLOCK)?.take(MAX_SMALL + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MAX_SMALL { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(content) }
}

fn open(path: &Path, flags: OFlags) -> io::Result<fs::File> {
    let file = fs::OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::InvalidInput.into()) }
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
    fn a_pipe_or_a_huge_file_is_not_read() {
        let root = tempfile::tempdir().unwrap();
        let (pipe, huge) = (root.path().join("pipe"), root.path().join("huge"));
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        fs::File::create(&huge).unwrap().set_len(MAX_SMALL + 1).unwrap();
        assert!(read_small(&pipe).is_err() && open_own(&pipe).is_err() && read_small(&huge).is_err());
        fs::File::options().write(true).open(&huge).unwrap().set_len(3).unwrap();
        assert_eq!(read_small(&huge).unwrap(), [0; 3]);
    }

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
