//! SIGHUP: the tokens are read again.

use std::{future::pending, io};

use agent_webkit::settings::TokensFile;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Waits for SIGHUP, if there is something to be read again.
#[derive(Debug)]
pub(crate) struct Reloading(Option<(TokensFile, Signal)>);

impl Reloading {
    /// Takes the signal over from here on. Without a file it stays what it is, the end.
    pub(crate) fn listen(file: Option<TokensFile>) -> io::Result<Self> {
        file.map(|file| Ok((file, signal(SignalKind::hangup())?))).transpose().map(Self)
    }

    /// Reads the file again at every signal. Never returns.
    pub(crate) async fn run(self) {
        let Some((file, mut hangup)) = self.0 else { return pending().await };
        while hangup.recv().await.is_some() {
            // A few lines, at the operator's word: not worth a thread of its own.
            match file.reload() {
                Ok(()) => tracing::info!(path = %file.path().display(), "the tokens were read again"),
                Err(error) => tracing::error!(%error, "the tokens stay as they were"),
            }
        }
        pending::<()>().await;
    }
}
