//! From settings to a stack that is ready to be mounted.

use std::{env, fmt};

use super::{Credentials, Model, Settings, SettingsError, TokensFile, cli_path};
use crate::{
    Stack,
    claude::Claude,
    layers::{
        auth::BoxVerify,
        resume::{RingConfig, RingLog},
    },
};

/// A server that was put together from [`Settings`].
pub struct Launched {
    /// The protocol, to be mounted.
    pub stack: Stack<Claude, BoxVerify>,
    /// The file with the tokens, to be read again when it has changed.
    pub tokens_file: Option<TokensFile>,
    /// The model that the agents talk to. Dropping it ends the practice model.
    pub model: Model,
}

impl Settings {
    /// Finds the CLI and the model, and puts the stack together. Nothing listens yet.
    ///
    /// # Errors
    /// One of the settings cannot be: see [`Settings::credentials`] and [`Settings::policy`]; or the CLI is
    /// not there, or the practice model cannot be served.
    pub async fn launch(&self) -> Result<Launched, SettingsError> {
        let Credentials { verifier, tokens_file } = self.credentials()?;
        let policy = self.policy()?;
        let program = cli_path::find(self.claude.as_deref(), env::var_os("PATH").as_deref())?;
        let model = Model::choose(self.practice, |name| env::var_os(name))
            .await
            .map_err(|error| SettingsError::new(format!("the practice model cannot be served: {error}")))?;
        tracing::info!(claude = %program.display(), workspaces = ?policy.workspaces(), "agents");
        let claude = Claude::new(program).allow_bypass(self.allow_bypass).pass_env(&self.pass_env);
        let claude = model.env().into_iter().fold(claude, |claude, (name, value)| claude.env(name, value));
        let log = RingLog::new(RingConfig::default().window_events(self.log_window.get()));
        let stack = Stack::builder(claude, policy)
            .auth(verifier)
            .log(log)
            .limits(self.limits())
            .keepalive(self.keepalive)
            .build();
        Ok(Launched { stack, tokens_file, model })
    }
}

impl fmt::Debug for Launched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Launched").field("stack", &self.stack).field("model", &self.model).finish()
    }
}
