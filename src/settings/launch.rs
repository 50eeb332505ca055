//! Builds a stack from settings, ready to be mounted.

use std::{env, fmt};

use super::{
    Credentials, Model, ReloadedFile, Settings, SettingsError, Store, cli_path, policy_file, profiles_file,
    reloaded,
};
use crate::{
    Stack,
    claude::{AgentUser, Claude, SetupError},
    genui::GenUi,
    layers::auth::BoxVerify,
    storage::events::AnyLog,
};

/// A server built from [`Settings`].
pub struct Launched {
    /// The stack, to mount.
    pub stack: Stack<Claude, BoxVerify, AnyLog>,
    /// The place where sessions are kept. Shut it down after the sessions.
    pub store: Store,
    /// The stack's verifier, for other services of the host.
    pub verifier: BoxVerify,
    /// The files to reload when they have changed: tokens, profiles, the policy and webhooks.
    pub files: Vec<ReloadedFile>,
    /// The model that the agents use. Dropping it stops the practice model.
    pub model: Model,
}

impl Settings {
    /// Finds the CLI and the model, and builds the stack. It does not listen on an address.
    ///
    /// # Errors
    /// A setting is invalid (see [`Settings::credentials`], [`Settings::policy`] and [`Settings::agent`]), agents cannot run
    /// as their user or behind their wrapper (see [`Claude::probe`]), or the database cannot be used.
    pub async fn launch(&self) -> Result<Launched, SettingsError> {
        let Credentials { verifier, tokens_file } = self.credentials()?;
        let policy = self.policy()?;
        let policy_file = self.policy.as_deref().map(policy_file::open).transpose()?;
        let (rules, policy_file) = policy_file.unzip();
        let genui = self.genui.as_deref().map(|path| reloaded::read(path, GenUi::from_json)).transpose()?;
        let (mut claude, model) = self.agent().await?;
        if let Some(rules) = rules {
            claude = claude.policy(rules);
        }
        if let Some(genui) = &genui {
            claude = claude.genui(genui);
        }
        tracing::info!(workspaces = ?policy.workspaces(), "agents");
        let location = self.location(|name| env::var_os(name));
        if let Some(state_dir) = self.state_dir(&location) {
            claude = claude.state_dir(state_dir);
        }
        if self.agent_user.is_some() || self.agent_wrapper.is_some() {
            claude.probe(policy.workspaces()).await?;
        }
        let profiles = self.profiles.as_deref().map(profiles_file::open).transpose()?;
        let (profiles, profiles_file) = profiles.unzip();
        if let Some(profiles) = profiles {
            claude = claude.profiles(profiles);
        }
        let (webhooks, webhooks_file) = self.webhooks.webhooks()?.unzip();
        let push = self.push.push()?;
        let store = self.open_store(&location).await?;
        let known = verifier.clone();
        let builder = |claude| {
            let builder = Stack::builder(claude, policy).auth(known).limits(self.limits());
            let builder = builder.webhooks(webhooks).push(push);
            builder.keepalive(self.keepalive).cors(self.http.cors()).genui(genui.unwrap_or_default())
        };
        let stack = match &store {
            Store::Memory(log) => builder(claude).log(log.clone().into()).build(),
            Store::Database(storage) => builder(claude).storage(storage).build(),
        };
        let files = tokens_file.into_iter().chain(profiles_file).chain(policy_file);
        let files = files.chain(webhooks_file.flatten()).collect();
        Ok(Launched { stack, store, verifier, files, model })
    }

    /// The CLI as an agent, configured for its model, for a stack that you build yourself.
    ///
    /// # Errors
    /// The CLI or the agents' user was not found, the agent wrapper is empty, or the practice model cannot listen.
    pub async fn agent(&self) -> Result<(Claude, Model), SettingsError> {
        let program = cli_path::find(self.claude.as_deref(), env::var_os("PATH").as_deref())?;
        tracing::info!(claude = %program.display(), "the agents' CLI");
        let claude = Claude::new(program).pass_env(&self.pass_env);
        let mut claude = claude.file_checkpoints(!self.no_file_checkpoints);
        if let Some(name) = &self.agent_user {
            claude = claude.agent_user(AgentUser::named(name)?);
        }
        if let Some(wrapper) = &self.agent_wrapper {
            let mut words = wrapper.split_ascii_whitespace().peekable();
            words.peek().ok_or_else(|| SettingsError::new("the agent wrapper must not be empty"))?;
            claude = claude.agent_wrapper(words);
        }
        let model = Model::choose(self.practice, &claude, |name| claude.variable(name))
            .await
            .map_err(|error| SettingsError::new(format!("the practice model cannot be served: {error}")))?;
        Ok((model.configure(claude), model))
    }
}

impl From<SetupError> for SettingsError {
    fn from(error: SetupError) -> Self {
        Self::new(error.to_string())
    }
}

impl fmt::Debug for Launched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Launched")
            .field("stack", &self.stack)
            .field("store", &self.store)
            .field("model", &self.model)
            .finish()
    }
}
