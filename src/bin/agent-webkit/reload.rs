//! Reloads the token file and the policy file on SIGHUP.

use std::{future::pending, io};

use agent_webkit::settings::{PolicyFile, TokensFile};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Waits for SIGHUP.
#[derive(Debug)]
pub(crate) struct Reloading {
    file: Option<TokensFile>,
    policy: Option<PolicyFile>,
    hangup: Signal,
}

impl Reloading {
    /// Installs the handler of SIGHUP. Without a file the signal has no effect: a service manager may send it
    /// whether there is one or not.
    pub(crate) fn listen(file: Option<TokensFile>, policy: Option<PolicyFile>) -> io::Result<Self> {
        Ok(Self { file, policy, hangup: signal(SignalKind::hangup())? })
    }

    /// Reloads the files at every signal. Never returns.
    pub(crate) async fn run(self) {
        let Self { file, policy, mut hangup } = self;
        while hangup.recv().await.is_some() {
            if file.is_none() && policy.is_none() {
                tracing::info!("SIGHUP received; there is no token file to reload");
                continue;
            }
            let reload_all = || async { tokio::join!(reload(file.as_ref()), reload_policy(policy.as_ref())) };
            // A file that is a pipe may keep its reader waiting for ever; the next signal starts anew.
            while let Some(()) = interrupted(reload_all(), &mut hangup).await {
                match &file {
                    Some(file) => {
                        tracing::warn!(path = %file.path().display(), "SIGHUP received while the token file is read; reading it anew")
                    }
                    None => tracing::warn!("SIGHUP received while the policy file is read; reading it anew"),
                }
            }
        }
        pending::<()>().await;
    }
}

async fn reload(file: Option<&TokensFile>) {
    let Some(file) = file else { return };
    match file.reload().await {
        Ok(()) => tracing::info!(path = %file.path().display(), "read the tokens file again"),
        Err(error) => {
            tracing::error!(%error, "cannot read the tokens file again; the tokens stay as they were");
        }
    }
}

async fn reload_policy(policy: Option<&PolicyFile>) {
    let Some(policy) = policy else { return };
    match policy.reload().await {
        Ok(()) => tracing::info!(path = %policy.path().display(), "read the policy file again"),
        Err(error) => {
            tracing::error!(%error, "cannot read the policy file again; the rules stay as they were")
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
