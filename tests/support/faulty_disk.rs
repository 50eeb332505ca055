//! A folder whose disk breaks when the test says so.
//!
//! A library in the server's process makes the calls fail that the kernel would let fail. This needs no right, and what was
//! read-only can be written again, as a network file system can. With a local one that has open files, Linux does not allow
//! it.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::io::Errno;
use tempfile::TempDir;

use crate::support::Builder;

#[derive(Debug)]
pub(crate) struct FaultyDisk {
    folder: TempDir,
    library: PathBuf,
}

impl FaultyDisk {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        fs::create_dir(folder.path().join("disk")).expect("a directory");
        let library = folder.path().join("faulty_disk.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/faulty_disk.c");
        // The build of SQLite needs a C compiler too.
        let built = Command::new(env::var_os("CC").unwrap_or_else(|| "cc".into()))
            .args(["-shared", "-fPIC", "-o"])
            .args([&library, Path::new(source)])
            .status();
        assert!(built.expect("a C compiler").success(), "the library is built");
        Self { folder, library }
    }

    /// Lets the faults reach a server.
    pub(crate) fn put_before(&self, server: Builder) -> Builder {
        server.env("LD_PRELOAD", &self.library).env("FAULTY_DISK", self.path())
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    /// From now on every change of a file fails with this error.
    pub(crate) fn fail(&self, error: Errno) {
        // In one step: a process that reads half of it would see no fault.
        let half = self.folder.path().join("half");
        fs::write(&half, error.raw_os_error().to_string()).expect("a file");
        fs::rename(half, self.fault()).expect("a file");
    }

    pub(crate) fn mend(&self) {
        fs::remove_file(self.fault()).expect("it is there");
    }

    fn fault(&self) -> PathBuf {
        self.folder.path().join("disk.fault")
    }
}
