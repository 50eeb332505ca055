//! The watcher: a shell process that ends a host's agents after the host was killed.
//!
//! A host cannot clean up after its own `kill -9`, so a second process does. The shell blocks on a pipe whose
//! other end only the host holds, so it reads end of file however the host died. It then kills all agents and
//! removes their config directories. It runs in its own process group and does not carry the process tag that
//! it looks for.

use std::{path::PathBuf, process::Stdio, sync::Mutex};

use tokio::process::{Child, Command};

use super::tag::{ProcessTag, can_look};
use crate::sync::lock;

/// The watcher of one backend. It is started with the first agent, restarted if it was killed, and ends once
/// the last clone of the backend and the last agent are gone.
#[derive(Debug)]
pub(crate) struct Watcher {
    tag: ProcessTag,
    folder: PathBuf,
    shell: Mutex<Option<Child>>,
}

impl Watcher {
    /// Creates a watcher for all agents of the host tag `tag` and for the directory `folder`. Starts nothing.
    pub(crate) const fn new(tag: ProcessTag, folder: PathBuf) -> Self {
        Self { tag, folder, shell: Mutex::new(None) }
    }

    /// Returns the host's process tag; each agent gets a tag derived from it.
    pub(crate) const fn tag(&self) -> &ProcessTag {
        &self.tag
    }

    /// Starts the watcher unless it runs. Does nothing without `/proc`, where the watcher could find no
    /// agent.
    pub(crate) fn ensure(&self) {
        if !can_look() {
            return;
        }
        let mut shell = lock(&self.shell);
        if shell.as_mut().is_some_and(|shell| matches!(shell.try_wait(), Ok(None))) {
            return;
        }
        match self.start() {
            Ok(started) => *shell = Some(started),
            Err(error) => {
                tracing::error!(%error, "no watcher: if this process is killed, its agents keep running");
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
