//! A walk through a directory that never leaves it.
//!
//! Each directory is opened from the root on, name by name, and no name may be a symlink: an agent may replace
//! directories by links at any time.

use std::{
    collections::VecDeque,
    io,
    os::fd::OwnedFd,
    path::Path,
    time::{Duration, Instant},
};

use rustix::fs::{CWD, Dir, FileType, Mode, OFlags, openat};

use super::ignored::{Rules, above};

/// Maximum number of entries that a walk looks at.
pub(super) const ENTRIES: usize = 20_000;

/// Maximum number of directories above an entry.
const DEPTH: usize = 32;

/// Maximum time of a walk.
const TIME: Duration = Duration::from_secs(1);

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A file or a directory below the root.
#[derive(Debug)]
pub(super) struct Found {
    /// The path from the root on.
    pub(super) path: String,
    pub(super) is_dir: bool,
    /// Number of directories above it, below the root.
    pub(super) depth: usize,
}

/// A directory that is still to be read, with the rules of those above it.
struct Waiting {
    path: String,
    depth: usize,
    rules: Rules,
}

/// Reports the files and directories below `root`, the nearest ones first.
pub(super) fn walk(root: &Path, report: &mut impl FnMut(Found)) -> io::Result<()> {
    let fd = openat(CWD, root, DIRECTORY, Mode::empty())?;
    let end = Instant::now() + TIME;
    let mut left = ENTRIES;
    let mut waiting = VecDeque::from([Waiting { path: String::new(), depth: 0, rules: above(root) }]);
    while let Some(Waiting { path, depth, rules }) = waiting.pop_front() {
        if Instant::now() >= end {
            break;
        }
        // Removed or replaced by a link meanwhile, or closed to us.
        let Ok(folder) = open(&fd, &path) else { continue };
        let Ok(entries) = entries(&folder, &mut left) else { continue };
        let begins_repository = entries.iter().any(|(name, _)| name == ".git");
        let rules = rules.of(&folder, &root.join(&path), begins_repository);
        for (name, is_dir) in entries {
            let path = if path.is_empty() { name } else { format!("{path}/{name}") };
            if path.rsplit('/').next() == Some(".git") || rules.ignore(&root.join(&path), is_dir) {
                continue;
            }
            if is_dir && depth < DEPTH {
                waiting.push_back(Waiting { path: path.clone(), depth: depth + 1, rules: rules.clone() });
            }
            report(Found { path, is_dir, depth });
        }
        if left == 0 {
            break;
        }
    }
    Ok(())
}

/// Opens the directory at this path below the root.
fn open(root: &OwnedFd, path: &str) -> io::Result<OwnedFd> {
    let mut folder = root.try_clone()?;
    for name in path.split('/').filter(|name| !name.is_empty()) {
        folder = openat(&folder, name, DIRECTORY, Mode::empty())?;
    }
    Ok(folder)
}

/// The files and directories in a directory, with whether each is a directory.
fn entries(folder: &OwnedFd, left: &mut usize) -> io::Result<Vec<(String, bool)>> {
    let mut found = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().to_str() else { continue };
        if name == "." || name == ".." {
            continue;
        }
        if *left == 0 {
            break;
        }
        *left -= 1;
        match kind(folder, name, entry.file_type()) {
            FileType::Directory => found.push((name.to_owned(), true)),
            FileType::RegularFile => found.push((name.to_owned(), false)),
            _ => {}
        }
    }
    Ok(found)
}

/// The kind of an entry. Some file systems do not report it with the name.
fn kind(folder: &OwnedFd, name: &str, reported: FileType) -> FileType {
    if reported != FileType::Unknown {
        return reported;
    }
    rustix::fs::statat(folder, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)
        .map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.st_mode))
}
