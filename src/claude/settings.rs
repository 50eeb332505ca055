//! The settings of the backend.

use std::{env, ffi::OsString, fmt, path::PathBuf, time::Duration};

use serde_json::value::RawValue;

use super::{
    agent_user::AgentUser,
    in_process::InProcess,
    options::{AnyFactory, Options, Profiles},
    process::{
        environment::{self, Environment},
        tag::ProcessTag,
    },
    protocol::codec::DEFAULT_LINE_LIMIT,
};
use crate::storage::transcripts::AnyTranscriptStore;

/// The timeouts of an agent's start and of the steps of its termination.
///
/// With the defaults an agent ends within 15 s, or within 25 s if its transcript store is unavailable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Grace {
    /// From the start to the CLI's response to the handshake. 60 s.
    pub start: Duration,
    /// From the end of input (and an interrupt, if a turn runs) to SIGTERM. 5 s.
    pub input: Duration,
    /// From SIGTERM to SIGKILL. 5 s.
    pub term: Duration,
    /// From SIGTERM to SIGKILL for processes that the CLI left running. 1 s.
    pub leftovers: Duration,
    /// How long the end of a turn, and of the agent, waits for the transcript store. 10 s.
    pub store: Duration,
}

impl Default for Grace {
    fn default() -> Self {
        Self {
            start: Duration::from_secs(60),
            input: Duration::from_secs(5),
            term: Duration::from_secs(5),
            leftovers: Duration::from_secs(1),
            store: Duration::from_secs(10),
        }
    }
}

/// The settings of the backend, as set on [`Claude`](super::Claude).
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) program: PathBuf,
    /// The user that agents run as, if not the server's own.
    pub(super) user: Option<AgentUser>,
    /// The command line in front of the CLI's.
    pub(super) wrapper: Vec<OsString>,
    pub(super) set: Vec<(OsString, OsString)>,
    pub(super) passed: Vec<OsString>,
    pub(super) arguments: Vec<OsString>,
    /// The options of every agent, below those of its profile.
    pub(super) options: Options,
    pub(super) profiles: Profiles,
    pub(super) factory: Option<AnyFactory>,
    pub(super) allow_bypass: bool,
    pub(super) file_checkpoints: bool,
    pub(super) hooks: Option<Box<RawValue>>,
    /// What this process does for its agents.
    pub(super) in_process: InProcess,
    pub(super) grace: Grace,
    pub(super) line_limit: usize,
    pub(super) transcripts: Option<AnyTranscriptStore>,
}

impl Settings {
    /// The default settings for the CLI at this path.
    pub(super) fn new(program: PathBuf) -> Self {
        Self {
            program,
            user: None,
            wrapper: Vec::new(),
            set: Vec::new(),
            passed: Vec::new(),
            arguments: Vec::new(),
            options: Options::new(),
            profiles: Profiles::new(),
            factory: None,
            allow_bypass: false,
            file_checkpoints: true,
            hooks: None,
            in_process: InProcess::default(),
            grace: Grace::default(),
            line_limit: DEFAULT_LINE_LIMIT,
            transcripts: None,
        }
    }

    /// Builds the environment of an agent with this process tag and these options.
    pub(super) fn environment(&self, tag: &ProcessTag, options: &Options) -> Environment {
        let mut environment = environment::inherit(env::vars_os(), &self.passed);
        if let Some(user) = &self.user {
            environment::belong_to(user, &mut environment, &self.passed);
        }
        // Measured: without it an agent opens a socket in a common directory, over which the SendMessage tool of
        // any other agent starts turns in it.
        environment.insert("CLAUDE_CODE_HARBOR_KITE".into(), "0".into());
        if self.file_checkpoints {
            environment.entry("CLAUDE_CODE_ENABLE_SDK_FILE_CHECKPOINTING".into()).or_insert("1".into());
        }
        let set = self.set.iter().cloned().chain(options.variables());
        environment.extend(set.filter(|(name, _)| !environment::is_own(name)));
        let (name, value) = tag.variable();
        environment.insert(name.into(), value.into());
        environment
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Prints names and hides their values.
        struct Names<'a>(&'a [(OsString, OsString)]);

        impl fmt::Debug for Names<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_map().entries(self.0.iter().map(|(name, _)| (name, format_args!("..")))).finish()
            }
        }

        f.debug_struct("Settings")
            .field("program", &self.program)
            .field("user", &self.user)
            .field("wrapper", &self.wrapper)
            .field("set", &Names(&self.set))
            .field("passed", &self.passed)
            .field("arguments", &self.arguments)
            .field("factory", &self.factory)
            .field("in_process", &self.in_process)
            .field("allow_bypass", &self.allow_bypass)
            .field("file_checkpoints", &self.file_checkpoints)
            .field("grace", &self.grace)
            .field("line_limit", &self.line_limit)
            .field("transcripts", &self.transcripts)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_values() {
        let mut settings = Settings::new("/bin/claude".into());
        settings.set.push(("ANTHROPIC_API_KEY".into(), "sk-secret".into()));
        let shown = format!("{settings:?}");
        assert!(shown.contains("ANTHROPIC_API_KEY") && !shown.contains("sk-secret"), "{shown}");
    }

    #[test]
    fn the_servers_secrets_cannot_be_set_for_an_agent() {
        let mut settings = Settings::new("/bin/claude".into());
        settings.set.push(("AGENT_WEBKIT_AUTH_TOKEN".into(), "t".into()));
        settings.set.push(("MINE".into(), "m".into()));
        let environment = settings.environment(&ProcessTag::of_host().of_agent(), &Options::new());
        let own: Vec<_> = environment.keys().filter(|name| environment::is_own(name)).collect();
        assert_eq!(own, ["AGENT_WEBKIT_AGENT"]);
        assert!(environment.contains_key(&OsString::from("MINE")));
    }
}
