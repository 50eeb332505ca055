//! Tracks which of the processes that share a SQLite file are alive.
//!
//! Each process holds a lock on a file of its own beside the database. The operating system releases the lock
//! however the process ends, so a process that can acquire the lock knows that the owner is dead.

use std::{
    fs::{self, File, TryLockError},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use uuid::Uuid;

use super::{
    OpenError,
    sqlite_file::{beside, cannot_be_opened, private_file, private_folder},
};

/// This process among those that share a SQLite file.
#[derive(Debug)]
pub(crate) struct Hosts {
    folder: PathBuf,
    id: String,
    _lock: File,
}

impl Hosts {
    /// Registers this process with the database at `path`, and removes the files of killed processes.
    pub(super) fn join(path: &Path) -> Result<Self, OpenError> {
        let folder = beside(path, "-hosts");
        let joined = || {
            private_folder(&folder)?;
            sweep(&folder)?;
            loop {
                let id = Uuid::new_v4().to_string();
                let own = folder.join(&id);
                let lock = private_file(&own)?;
                // Another process may have removed the file before it was locked.
                if lock.try_lock().is_ok() && own.exists() {
                    return Ok((id, lock));
                }
            }
        };
        let (id, lock) = joined().map_err(|error: io::Error| cannot_be_opened(path, error))?;
        Ok(Self { folder, id, _lock: lock })
    }

    /// The name of this process, which no other process ever has.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Whether the process of this name has ended or never existed.
    pub(crate) fn is_dead(&self, id: &str) -> bool {
        // The id becomes a file name, so anything but a uuid could be a path to another file.
        Uuid::try_parse(id).is_err() || clear(&self.folder.join(id)).unwrap_or(false)
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        // If this fails, the next process to start removes the file.
        let _ = fs::remove_file(self.folder.join(&self.id));
    }
}

fn sweep(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        // A file that cannot be checked stays.
        let _ = clear(&entry?.path());
    }
    Ok(())
}

/// Removes the file of a dead process; returns `false` if the process is alive.
fn clear(path: &Path) -> io::Result<bool> {
    let file = match File::options().write(true).open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        file => file?,
    };
    match file.try_lock() {
        Ok(()) => fs::remove_file(path).map(|()| true).or_else(|error| match error.kind() {
            ErrorKind::NotFound => Ok(true),
            _ => Err(error),
        }),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(hosts: &Hosts) -> Vec<String> {
        let files = fs::read_dir(&hosts.folder).unwrap();
        files.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn one_lives_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessions.db");
        let (one, other) = (Hosts::join(&path).unwrap(), Hosts::join(&path).unwrap());
        assert!(!one.is_dead(other.id()) && !other.is_dead(one.id()) && !one.is_dead(one.id()));
        let id = other.id().to_owned();
        drop(other);
        assert!(one.is_dead(&id));
        assert_eq!(names(&one), [one.id()]);
    }

    #[test]
    fn what_a_killed_process_left_is_dead_and_swept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessions.db");
        let one = Hosts::join(&path).unwrap();
        let killed = Uuid::new_v4().to_string();
        fs::write(one.folder.join(&killed), "").unwrap();
        assert!(one.is_dead(&killed));
        fs::write(one.folder.join(&killed), "").unwrap();
        let other = Hosts::join(&path).unwrap();
        assert!(!names(&other).contains(&killed));
        assert!(!other.is_dead(one.id()));
    }

    #[test]
    fn what_is_no_name_of_a_process_is_dead_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessions.db");
        fs::write(&path, "x").unwrap();
        let hosts = Hosts::join(&path).unwrap();
        assert!(hosts.is_dead("../sessions.db"));
        assert!(path.exists());
    }
}
