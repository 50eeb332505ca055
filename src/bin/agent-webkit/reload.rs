//! Reloads the token file on SIGHUP.

use std::{future::pending, io};

use agent_webkit::settings::TokensFile;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Waits for SIGHUP.
#[derive(Debug)]
pub(crate) struct Reloading {
    file: Option<TokensFile>,
    hangup: Signal,
}

impl Reloading {
    /// Installs the handler of SIGHUP. Without a token file the signal has no effect: a service manager may send it
    /// whether there is one or not.
    pub(crate) fn listen(file: Option<TokensFile>) -> io::Result<Self> {
        Ok(Self { file, hangup: signal(SignalKind::hangup())? })
    }

    /// Reloads the file at every signal. Never returns.
    pub(crate) async fn run(mut self) {
        while self.hangup.recv().await.is_some() {
            let Some(file) = &self.file else {
                tracing::info!("SIGHUP received; there is no token file to reload");
                continue;
            };
            // A file that is a pipe may keep its reader waiting for ever; the next signal starts anew.
            while let Some(()) = interrupted(reload(file), &mut self.hangup).await {
                tracing::warn!(path = %file.path().display(), "SIGHUP received while the token file is read; reading it anew");
            }
        }
        pending::<()>().await;
    }
}

async fn reload(file: &TokensFile) {
    match file.reload().await {
        Ok(()) => tracing::info!(path = %file.path().display(), "read the tokens file again"),
        Err(error) => {
            tracing::error!(%error, "cannot read the tokens file again; the tokens stay as they were");
        }
    }
}

/// Runs `reload` to its end, or returns `Some` if a signal comes first.
async fn interrupted(reload: impl Future<Output = ()>, hangup: &mut Signal) -> Option<()> {
    tokio::select! {
        () = reload => None,
        signal = hangup.recv() => signal,
    }
}
