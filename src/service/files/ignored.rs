//! What git ignores: the rules of the `.gitignore` files from the repository's root on.

use std::{
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, OwnedFd},
    path::Path,
    sync::Arc,
};

use ignore::{
    Match,
    gitignore::{Gitignore, GitignoreBuilder},
};
use rustix::fs::{CWD, Mode, OFlags, openat};

/// Maximum number of bytes that are read of a `.gitignore`.
const LONGEST: u64 = 256 * 1024;

/// The rules for one directory: `None` outside of a repository, else those of each file, the outermost first.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules(Option<Vec<Arc<Gitignore>>>);

impl Rules {
    /// The rules for a directory below.
    pub(super) fn of(mut self, folder: &OwnedFd, path: &Path, begins_repository: bool) -> Self {
        if begins_repository {
            self.0 = Some(Vec::new());
        }
        if let Some(rules) = &mut self.0 {
            rules.extend(read(folder, path));
        }
        self
    }

    /// Whether git ignores this path.
    pub(super) fn ignore(&self, path: &Path, is_dir: bool) -> bool {
        let rules = self.0.iter().flatten().rev();
        let decides = rules.map(|rules| rules.matched(path, is_dir)).find(|found| !found.is_none());
        matches!(decides, Some(Match::Ignore(_)))
    }
}

/// The rules of the directories above `root`, if it lies in a repository that begins above.
pub(super) fn above(root: &Path) -> Rules {
    let above: Vec<&Path> = root.ancestors().skip(1).collect();
    let Some(begin) = above.iter().position(|folder| folder.join(".git").symlink_metadata().is_ok()) else {
        return Rules::default();
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut rules = Rules(Some(Vec::new()));
    for folder in above[..=begin].iter().rev() {
        if let Ok(fd) = openat(CWD, *folder, flags, Mode::empty()) {
            rules = rules.of(&fd, folder, false);
        }
    }
    rules
}

fn read(folder: &OwnedFd, path: &Path) -> Option<Arc<Gitignore>> {
    let text = text(folder).ok()?;
    let mut builder = GitignoreBuilder::new(path);
    for line in text.lines() {
        // A line that git does not understand either.
        let _ = builder.add_line(None, line);
    }
    builder.build().ok().map(Arc::new)
}

/// The text of the directory's `.gitignore`, which an agent may have made: neither a link is followed nor a pipe waited
/// for.
fn text(folder: &impl AsFd) -> io::Result<String> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(openat(folder, ".gitignore", flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
