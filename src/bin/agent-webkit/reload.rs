//! Reloads the token file on SIGHUP.

use std::{future::pending, io};

use agent_webkit::settings::TokensFile;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Waits for SIGHUP if there is a token file.
#[derive(Debug)]
pub(crate) struct Reloading(Option<(TokensFile, Signal)>);

impl Reloading {
    /// Installs the handler of SIGHUP. Without a token file the signal still ends the process.
    pub(crate) fn listen(file: Option<TokensFile>) -> io::Result<Self> {
        file.map(|file| Ok((file, signal(SignalKind::hangup())?))).transpose().map(Self)
    }

    /// Reloads the file at every signal. Never returns.
    pub(crate) async fn run(self) {
        let Some((file, mut hangup)) = self.0 else { return pending().await };
        while hangup.recv().await.is_some() {
            // Blocking here is acceptable: the file is short and reloads are rare.
            match file.reload() {
                Ok(()) => tracing::info!(path = %file.path().display(), "read the tokens file again"),
                Err(error) => {
                    tracing::error!(%error, "cannot read the tokens file again; the tokens stay as they were");
                }
            }
        }
        pending::<()>().await;
    }
}
