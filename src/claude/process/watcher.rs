//! The watcher: ends the agents of a host that was killed, and removes their folders.
//!
//! Nothing a process does can outlive its own `kill -9`, so another process has to: a shell that blocks
//! on a pipe whose only other end the host holds, and that sees its end however the host died. It runs
//! in a process group of its own and does not carry the tag it looks for.

use std::{
    path::PathBuf,
    process::Stdio,
    sync::{Mutex, PoisonError},
};

use tokio::process::{Child, Command};

use super::tag::{ProcessTag, can_look};

/// Started with the first agent, and again should it have been killed. Ends when the last clone of the
/// backend and the last agent are gone.
#[derive(Debug)]
pub(crate) struct Watcher {
    tag: ProcessTag,
    folder: PathBuf,
    shell: Mutex<Option<Child>>,
}

impl Watcher {
    /// A watcher over everything that carries `mark`, and over this folder; not started yet.
    pub(crate) const fn new(tag: ProcessTag, folder: PathBuf) -> Self {
        Self { tag, folder, shell: Mutex::new(None) }
    }

    /// What its agents carry: each gets a tag of its own below this one.
    pub(crate) const fn tag(&self) -> &ProcessTag {
        &self.tag
    }

    /// Makes sure that it runs. Without `/proc` there is nothing it could look at.
    pub(crate) fn ensure(&self) {
        if !can_look() {
            return;
        }
        let mut shell = self.shell.lock().unwrap_or_else(PoisonError::into_inner);
        if shell.as_mut().is_some_and(|shell| matches!(shell.try_wait(), Ok(None))) {
            return;
        }
        match self.start() {
            Ok(started) => *shell = Some(started),
            Err(error) => {
                tracing::error!(%error, "no watcher: a kill -9 of this process would leave agents behind");
            }
        }
    }

    fn start(&self) -> std::io::Result<Child> {
        let group = rustix::process::getpgrp().as_raw_nonzero().to_string();
        Command::new("/bin/sh")
            .args(["-c", include_str!("watcher.sh"), "agent-webkit-watcher", &self.tag.entry(), &group])
            .arg(&self.folder)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into()))
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
    }
}
