//! Keeps a session's files beside its transcripts: plans, large tool outputs, task lists, file checkpoints, the scripts
//! and journals of workflows, and variables that a hook set.
//!
//! Measured: the CLI writes them to its config directory, does not report them, and reads them again on
//! `--resume`. So the config directory is scanned when a turn ends, when the agent asks and when the
//! transcript names a tool output, and the files that changed become entries of the transcript store, under the subpath [`SUBPATH`].

mod format;
mod restore;
mod scan;

use std::path::Path;

use tokio::task::{JoinHandle, spawn_blocking};

pub(crate) use self::{
    format::SUBPATH,
    restore::{Rewrite, Stored},
    scan::{MAX_STORED, Scan},
};
use self::{format::config_dir, scan::Scanner};
use crate::{
    claude::agent_user::{AgentUser, act_as},
    storage::transcripts::Entry,
};

/// The folders of the config directory that are kept as a whole.
const TREES: [&str; 5] = ["file-history", "plans", "session-env", "tasks", "todos"];

/// The kept folders of a session's directory, `projects/<project>/<session>`. They are stored without that
/// directory, which is another one after a change of the working directory.
const SESSION_TREES: [&str; 2] = ["tool-results", "workflows"];

/// The folder of a session's directory with a folder for each run of a workflow. Of these, the [`JOURNAL`] is kept; the
/// rest are transcripts.
const RUNS: &str = "subagents/workflows";

/// The file that a workflow is continued from.
const JOURNAL: &str = "journal.jsonl";

/// Whether a transcript's entry names a large tool output.
pub(crate) fn names_tool_result(entry: &Entry) -> bool {
    entry.json().get().contains("/tool-results/")
}

/// Scans one agent's config directory in the background.
#[derive(Debug)]
pub(crate) struct KeptFiles {
    /// Absent while a scan runs.
    scanner: Option<Scanner>,
    running: Option<JoinHandle<(Scanner, Scan)>>,
    wanted: bool,
    /// The last scan left files for which there was no room.
    rest: bool,
    config_dir: Option<Entry>,
    /// The system user of the agent, whose rights the files are read with. The agent can replace a file by a link to one
    /// that it may not read itself.
    user: Option<AgentUser>,
}

impl KeptFiles {
    /// Takes the files that are in the config directory now as already stored. Blocks on file access.
    pub(crate) fn new(path: &Path, user: Option<AgentUser>) -> Self {
        Self {
            scanner: Some(Scanner::new(path)),
            running: None,
            wanted: false,
            rest: false,
            config_dir: config_dir(path),
            user,
        }
    }

    /// Returns the entry that names the config directory, once.
    pub(crate) const fn take_config_dir(&mut self) -> Option<Entry> {
        self.config_dir.take()
    }

    /// Requests a scan that sees everything written so far.
    pub(crate) const fn request(&mut self) {
        self.wanted = true;
    }

    /// Starts the requested scan, unless one is still running. `room` is the maximum size of its entries, in
    /// bytes; `idle` tells whether the files that the last scan left may be tried again.
    pub(crate) fn start(&mut self, room: usize, idle: bool) {
        if (self.wanted || self.rest && idle)
            && let Some(mut scanner) = self.scanner.take()
        {
            (self.wanted, self.rest) = (false, false);
            let user = self.user.clone();
            self.running = Some(spawn_blocking(move || {
                let scan = act_as(user.as_ref(), || Ok(scanner.scan(room)));
                let scan = scan.unwrap_or_else(|error| {
                    tracing::error!(%error, "the agent's files cannot be read with the rights of its user");
                    Scan::default()
                });
                (scanner, scan)
            }));
        }
    }

    /// Whether a scan runs or is requested.
    pub(crate) const fn is_scanning(&self) -> bool {
        self.running.is_some() || (self.wanted && self.scanner.is_some())
    }

    /// Whether the last scan left files for which there was no room.
    pub(crate) const fn has_rest(&self) -> bool {
        self.rest
    }

    /// Waits for the running scan; without one, for ever. Cancel safe.
    pub(crate) async fn scanned(&mut self) -> Scan {
        let Some(running) = &mut self.running else { return std::future::pending().await };
        let scanned = running.await;
        self.running = None;
        match scanned {
            Ok((scanner, scan)) => {
                self.scanner = Some(scanner);
                self.rest = scan.rest;
                scan
            }
            Err(error) => {
                tracing::error!(%error, "the scan of the agent's files failed; no more of them are stored");
                Scan::default()
            }
        }
    }
}
