//! Reloads the files of settings on SIGHUP.

use std::{future::pending, io};

use agent_webkit::settings::ReloadedFile;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Waits for SIGHUP.
#[derive(Debug)]
pub(crate) struct Reloading {
    files: Vec<ReloadedFile>,
    hangup: Signal,
}

impl Reloading {
    /// Installs the handler of SIGHUP. Without a file the signal has no effect: a service manager may send it whether
    /// there is one or not.
    pub(crate) fn listen(files: Vec<ReloadedFile>) -> io::Result<Self> {
        Ok(Self { files, hangup: signal(SignalKind::hangup())? })
    }

    /// Reloads the files at every signal. Never returns.
    pub(crate) async fn run(mut self) {
        while self.hangup.recv().await.is_some() {
            if self.files.is_empty() {
                tracing::info!("SIGHUP received; there is no file to reload");
            }
            // A file that is a pipe may keep its reader waiting for ever; the next signal starts anew.
            while let Some(()) = interrupted(reload(&self.files), &mut self.hangup).await {
                tracing::warn!("SIGHUP received while files are read; reading them anew");
            }
        }
        pending::<()>().await;
    }
}

async fn reload(files: &[ReloadedFile]) {
    for file in files {
        let (what, path) = (file.what(), file.path().display());
        match file.reload().await {
            Ok(()) => tracing::info!(%path, "read the {what} file again"),
            Err(error) => {
                tracing::error!(%error, "cannot read the {what} file again; things stay as they were");
            }
        }
    }
}

/// Runs `reload` to its end, or returns `Some` if a signal comes first.
async fn interrupted<T>(reload: impl Future<Output = T>, hangup: &mut Signal) -> Option<()> {
    tokio::select! {
        _ = reload => None,
        signal = hangup.recv() => signal,
    }
}
