//! The directory in which a backend creates the config directories of its agents.

use std::{
    env,
    fs::{self, File},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Mutex, Once},
};

use super::removal::remove_tree;
use crate::sync::lock;

/// How the names of these directories begin.
const PREFIX: &str = "agent-webkit-";

/// The mode of a directory for this user alone.
const PRIVATE: u32 = 0o700;

/// The mode of a directory through which others reach what is theirs in it.
const SEARCHABLE: u32 = 0o711;

/// The directory of one backend. Removed on drop, or by the watcher.
#[derive(Debug)]
pub(crate) struct ConfigRoot {
    path: PathBuf,
    /// Set in a state directory, in which nothing else removes what is left after the machine lost its power.
    swept: Option<Once>,
    /// The directory, locked while this process lives.
    held: Mutex<Option<File>>,
}

impl ConfigRoot {
    /// Chooses a path in the temporary directory. Creates nothing.
    pub(crate) fn temporary() -> Self {
        Self { path: new_path(&env::temp_dir()), swept: None, held: Mutex::default() }
    }

    /// Chooses a path in this state directory. Creates nothing.
    pub(crate) fn in_state_dir(state_dir: &Path) -> Self {
        Self { path: new_path(state_dir), swept: Some(Once::new()), held: Mutex::default() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Creates the directory, or closes the existing one to others: it may have been removed, and then created
    /// again by an agent that was running in it. Others may go through it to a directory that they know if it
    /// is `searchable`. Fails if somebody else has created it: anyone can create a directory or link in the
    /// temporary directory.
    pub(crate) fn ensure(&self, searchable: bool) -> io::Result<()> {
        let mode = if searchable { SEARCHABLE } else { PRIVATE };
        let mut held = lock(&self.held);
        if let Some(parent) = self.path.parent() {
            fs::DirBuilder::new().mode(mode).recursive(true).create(parent)?;
            if let Some(swept) = &self.swept {
                swept.call_once(|| sweep(parent));
            }
        }
        match fs::symlink_metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                *held = Some(self.create(mode)?);
            }
            found => {
                let found = found?;
                if !found.is_dir() || found.uid() != rustix::process::geteuid().as_raw() {
                    return Err(io::ErrorKind::AlreadyExists.into());
                }
                if found.mode() & 0o777 != mode {
                    fs::set_permissions(&self.path, fs::Permissions::from_mode(mode))?;
                }
                let is_found = |held: &File| {
                    held.metadata().is_ok_and(|held| (held.dev(), held.ino()) == (found.dev(), found.ino()))
                };
                if !held.as_ref().is_some_and(is_found) {
                    let locked = File::open(&self.path)?;
                    locked.try_lock()?;
                    *held = Some(locked);
                }
            }
        }
        Ok(())
    }

    /// Creates the directory under another name first: a sweep of another process must not find it unlocked.
    fn create(&self, mode: u32) -> io::Result<File> {
        let unlocked = self.path.with_extension("new");
        private_dir().create(&unlocked)?;
        // The umask does not take away from these.
        fs::set_permissions(&unlocked, fs::Permissions::from_mode(mode))?;
        let locked = File::open(&unlocked)?;
        locked.try_lock()?;
        fs::rename(&unlocked, &self.path)?;
        Ok(locked)
    }
}

impl Drop for ConfigRoot {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// The parent is resolved, because the CLI reports the paths of its transcripts resolved.
fn new_path(parent: &Path) -> PathBuf {
    let parent = parent.canonicalize().or_else(|_| std::path::absolute(parent));
    parent.unwrap_or_default().join(format!("{PREFIX}{}", uuid::Uuid::new_v4()))
}

/// Removes the directories of processes that are gone.
fn sweep(state_dir: &Path) {
    let Ok(found) = fs::read_dir(state_dir) else { return };
    for path in found.flatten().map(|entry| entry.path()) {
        let name = path.file_name().and_then(|name| name.to_str());
        let is_ours = name
            .and_then(|name| name.strip_prefix(PREFIX))
            .is_some_and(|id| uuid::Uuid::try_parse(id).is_ok());
        let is_dir = fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir());
        if is_ours && is_dir && File::open(&path).is_ok_and(|folder| folder.try_lock().is_ok()) {
            tracing::info!(folder = %path.display(), "removes config directories that a dead process left");
            remove(&path);
        }
    }
}

/// Returns a builder of directories that only this user can access.
pub(crate) fn private_dir() -> fs::DirBuilder {
    let mut builder = fs::DirBuilder::new();
    builder.mode(PRIVATE);
    builder
}

pub(super) fn remove(folder: &Path) {
    match remove_tree(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::error!(%error, folder = %folder.display(), "cannot remove an agent's config directory");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn what_was_removed_is_there_again_and_closed_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let parent = folder.path().join("state/below");
        let root = ConfigRoot::in_state_dir(&parent);
        root.ensure(false).unwrap();
        assert_eq!((mode(&parent), mode(root.path())), (0o700, 0o700));
        // With everything above it.
        fs::remove_dir_all(folder.path().join("state")).unwrap();
        root.ensure(false).unwrap();
        assert_eq!((mode(&parent), mode(root.path())), (0o700, 0o700));
        // An agent that was running in it has created it again, in its own way.
        fs::remove_dir_all(root.path()).unwrap();
        private_dir().mode(0o755).create(root.path()).unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        root.ensure(false).unwrap();
        assert_eq!(mode(root.path()), 0o700);
        root.ensure(true).unwrap();
        assert_eq!(mode(root.path()), 0o711);
        let path = root.path().to_owned();
        drop(root);
        assert!(!path.exists());
    }

    #[test]
    fn a_link_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let root = ConfigRoot::in_state_dir(folder.path());
        let elsewhere = folder.path().join("elsewhere");
        private_dir().create(&elsewhere).unwrap();
        symlink(&elsewhere, root.path()).unwrap();
        root.ensure(false).unwrap_err();
    }

    #[test]
    fn what_dead_processes_left_is_swept_and_what_lives_stays() {
        let folder = tempfile::tempdir().unwrap();
        let lives = ConfigRoot::in_state_dir(folder.path());
        lives.ensure(false).unwrap();
        let dead = folder.path().join(format!("{PREFIX}{}", uuid::Uuid::new_v4()));
        let foreign = folder.path().join(format!("{PREFIX}notes"));
        for path in [&dead, &foreign] {
            private_dir().create(path).unwrap();
        }
        ConfigRoot::in_state_dir(folder.path()).ensure(false).unwrap();
        assert!(!dead.exists());
        assert!(foreign.exists() && lives.path().exists());
    }
}
