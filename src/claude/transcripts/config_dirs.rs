//! Private config directories.
//!
//! Measured: the CLI reads settings, credentials, memory, agents, commands and skills through symbolic links.
//! It writes settings through them, even if the target does not exist yet, and other agents read what it
//! writes within seconds. So an agent's config directory links to what the operator has configured and has a
//! copy of the settings; transcripts and other files of one process stay in the agent's own.
//!
//! An agent without a transcript store keeps its session's files where the bare CLI keeps them, in the
//! operator's config directory; a later agent of the session finds them there.
//!
//! Measured: without a `.claude.json` the CLI treats a start as its first one, which takes about 30 ms more.
//! If the operator has no such file, as in a container with only an API key, every agent would do so. So the
//! first-start members of the first agent's file are copied for the next agents.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::{OpenOptionsExt, symlink},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use serde_json::Value;

use super::{
    config_root::{ConfigRoot, private_dir, remove},
    safe_paths::read_small,
};
use crate::claude::{
    agent_user::{AgentUser, act_as},
    process::environment::Environment,
};

/// Files of one process or one machine, which are not linked. None of them configures an agent.
const PRIVATE: &[&str] = &[
    "backups",
    "cache",
    "daemon",
    "debug",
    "file-history",
    "history.jsonl",
    "ide",
    "image-cache",
    "jobs",
    "logs",
    "paste-cache",
    "plans",
    "projects",
    "session-env",
    "sessions",
    "shell-snapshots",
    "state",
    "statsig",
    "tasks",
    "teams",
    "telemetry",
    "todos",
    "traces",
];

/// The folders of [`PRIVATE`] that belong to a session: `--resume` reads them again.
const OF_A_SESSION: &[&str] = &["file-history", "plans", "projects", "session-env", "tasks", "todos"];

/// Files that every process rewrites: each agent gets a copy.
const COPIED: &[&str] = &[".claude.json", ".config.json"];

/// The members of `.claude.json` that record a first start. Only these are copied to other agents: an agent
/// can write to its own file, and what it writes must not reach other agents.
const FIRST_START: &[&str] = &[
    "firstStartTime",
    "firstStartVersion",
    "hasResetAutoModeOptInForDefaultOffer",
    "machineID",
    "migrationVersion",
    "opusProMigrationComplete",
    USER,
];

/// The member of [`FIRST_START`] that the CLI writes last.
const USER: &str = "userID";

/// The file to which the CLI writes permanently granted permissions. Copied, or linked even if it does not
/// exist yet.
const SETTINGS: &str = "settings.json";

/// What an agent shares with the operator and with other agents.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shared {
    /// The files of its session, for an agent without a transcript store.
    pub(crate) session_files: bool,
    /// The settings: what one agent writes holds for all.
    pub(crate) settings: bool,
}

/// The config directories of one backend.
#[derive(Debug)]
pub(crate) struct ConfigDirs {
    root: ConfigRoot,
    /// What the first agent's CLI wrote to `.claude.json`, if the operator has no such file.
    first_start: OnceLock<Vec<u8>>,
}

/// One agent's config directory, removed on drop.
#[derive(Debug)]
pub(crate) struct ConfigDir {
    path: PathBuf,
    config_dirs: Arc<ConfigDirs>,
    /// The owner of its files.
    user: Option<AgentUser>,
    /// There was neither an operator's nor an earlier agent's `.claude.json`.
    is_first: bool,
}

impl ConfigDirs {
    /// Creates config directories in this directory.
    pub(crate) const fn new(root: ConfigRoot) -> Self {
        Self { root, first_start: OnceLock::new() }
    }

    /// The path of the directory that holds all of them.
    pub(crate) fn path(&self) -> &Path {
        self.root.path()
    }

    /// Creates a config directory for one agent, which belongs to `user`, linked to the operator's. Blocks on file
    /// access.
    pub(crate) fn make(
        self: &Arc<Self>,
        environment: &Environment,
        shared: Shared,
        user: Option<AgentUser>,
    ) -> io::Result<ConfigDir> {
        self.root.ensure(user.is_some())?;
        let path = self.root.path().join(uuid::Uuid::new_v4().to_string());
        private_dir().create(&path)?;
        let mut config_dir = ConfigDir { path, config_dirs: Arc::clone(self), user, is_first: false };
        if let Some(user) = &config_dir.user {
            user.take(&config_dir.path)?;
        }
        config_dir.is_first =
            act_as(config_dir.user.as_ref(), || self.fill(&config_dir, environment, shared))?;
        Ok(config_dir)
    }

    /// Links and copies into a new config directory. Returns whether its agent is the first one.
    fn fill(&self, config_dir: &ConfigDir, environment: &Environment, shared: Shared) -> io::Result<bool> {
        if let Some(operators) = configured_dir(environment) {
            furnish(&config_dir.path, &operators, shared)?;
        }
        let mut noted = false;
        if let Some(folder) = config_parent(environment) {
            for name in COPIED {
                noted |= copy(&folder.join(name), &config_dir.path.join(name))?;
            }
        }
        match self.first_start.get() {
            _ if noted => Ok(false),
            Some(content) => write(&config_dir.path.join(COPIED[0]), content).map(|()| false),
            None => Ok(true),
        }
    }
}

impl ConfigDir {
    /// The path of the directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the data of this agent's first start should be kept for other agents.
    pub(crate) fn is_first(&self) -> bool {
        self.is_first && self.config_dirs.first_start.get().is_none()
    }

    /// Keeps the data of the CLI's first start for other agents, if it is complete. Reads a small file.
    pub(crate) fn keep_first_start(&self) {
        let noted = act_as(self.user.as_ref(), || read_small(&self.path.join(COPIED[0]))).ok();
        let noted: Option<BTreeMap<String, Value>> =
            noted.and_then(|content| serde_json::from_slice(&content).ok());
        let Some(mut noted) = noted else { return };
        noted.retain(|name, value| {
            FIRST_START.contains(&name.as_str()) && !value.is_object() && !value.is_array()
        });
        if noted.contains_key(USER) {
            let content = serde_json::to_vec(&noted).expect("it was read from JSON");
            // Fails if another agent was faster, whose data serves as well.
            let _ = self.config_dirs.first_start.set(content);
        }
    }

    /// Links the CLI's memory of a project on this machine, which all sessions share.
    pub(crate) fn share_memory(&self, environment: &Environment, project_folder: &str) -> io::Result<()> {
        let below = Path::new("projects").join(project_folder).join("memory");
        let Some(operators) = configured_dir(environment).map(|folder| folder.join(&below)) else {
            return Ok(());
        };
        // Optional: if the directory cannot be created, the agent has no shared memory.
        let _ = private_dir().recursive(true).create(&operators);
        let Ok(operators) = operators.canonicalize() else { return Ok(()) };
        let here = self.path.join(below);
        private_dir().recursive(true).create(here.parent().unwrap_or(&self.path))?;
        symlink(operators, here)
    }
}

impl Drop for ConfigDir {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Returns the operator's config directory.
pub(crate) fn configured_dir(environment: &Environment) -> Option<PathBuf> {
    set_config_dir(environment).or_else(|| Some(variable(environment, "HOME")?.join(".claude")))
}

/// Returns the directory of `.claude.json`. By default it lies beside `~/.claude`, not in it.
fn config_parent(environment: &Environment) -> Option<PathBuf> {
    set_config_dir(environment).or_else(|| variable(environment, "HOME"))
}

fn set_config_dir(environment: &Environment) -> Option<PathBuf> {
    variable(environment, "CLAUDE_CONFIG_DIR")
}

fn variable(environment: &Environment, name: &str) -> Option<PathBuf> {
    let value = environment.get(std::ffi::OsStr::new(name))?;
    (!value.is_empty()).then(|| PathBuf::from(value))
}

fn furnish(config_dir: &Path, operators: &Path, shared: Shared) -> io::Result<()> {
    // The CLI would create it, too. If it cannot be created, there is nothing to link.
    let _ = private_dir().recursive(true).create(operators);
    let Ok(operators) = operators.canonicalize() else { return Ok(()) };
    for found in fs::read_dir(&operators)? {
        let name = found?.file_name();
        let text = name.to_string_lossy();
        let private = PRIVATE.iter().chain(COPIED).chain([&SETTINGS]).any(|private| text == *private);
        if !private && !text.starts_with(".claude.json.") {
            symlink(operators.join(&name), config_dir.join(&name))?;
        }
    }
    if shared.session_files {
        for name in OF_A_SESSION {
            private_dir().recursive(true).create(operators.join(name))?;
            symlink(operators.join(name), config_dir.join(name))?;
        }
    }
    let [from, to] = [&operators, config_dir].map(|folder| folder.join(SETTINGS));
    if shared.settings { symlink(from, to) } else { copy(&from, &to).map(drop) }
}

/// Copies a file. Returns whether it exists.
fn copy(from: &Path, to: &Path) -> io::Result<bool> {
    match read_small(from) {
        Ok(content) => write(to, &content).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn write(to: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    io::Write::write_all(&mut file, content)
}

#[cfg(test)]
mod tests {
    use std::{env, os::unix::fs::PermissionsExt};

    use super::*;

    fn operators(name: &str) -> (PathBuf, Environment) {
        let root = env::temp_dir().join(format!("agent-webkit-homes-{}-{name}", std::process::id()));
        fs::create_dir_all(root.join("projects/-w")).unwrap();
        fs::write(root.join("CLAUDE.md"), "be kind").unwrap();
        fs::write(root.join(".claude.json"), "{}").unwrap();
        let environment = [("CLAUDE_CONFIG_DIR".into(), root.clone().into())].into();
        (root, environment)
    }

    #[test]
    fn a_home_shows_what_is_configured_and_none_of_the_transcripts() {
        let (root, environment) = operators("shows");
        let config_dirs = Arc::new(ConfigDirs::new(ConfigRoot::temporary()));
        let config_dir = config_dirs.make(&environment, Shared::default(), None).unwrap();
        for folder in [config_dirs.path(), config_dir.path()] {
            assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
        }
        let here = config_dir.path().to_owned();
        assert_eq!(fs::read_to_string(here.join("CLAUDE.md")).unwrap(), "be kind");
        assert!(!here.join("projects").exists());
        assert!(fs::symlink_metadata(here.join(".claude.json")).unwrap().is_file(), "its own copy");
        fs::write(here.join("settings.json"), "{}").unwrap();
        assert!(!root.join("settings.json").exists(), "what an agent writes is its own");
        let shared =
            config_dirs.make(&environment, Shared { session_files: true, settings: true }, None).unwrap();
        fs::write(shared.path().join("settings.json"), "{}").unwrap();
        assert!(root.join("settings.json").exists(), "unless the operator shares the settings");
        fs::write(shared.path().join("projects/-w/s.jsonl"), "").unwrap();
        assert!(root.join("projects/-w/s.jsonl").exists(), "where the bare CLI finds it");
        drop(shared);

        drop(config_dir);
        assert!(!here.exists() && root.join("CLAUDE.md").exists());
        let all = config_dirs.path().to_owned();
        drop(config_dirs);
        assert!(!all.exists());
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn what_is_noted_at_a_first_start_is_there_at_the_next_unless_the_operator_has_one() {
        let (root, environment) = operators("first");
        let config_dirs = Arc::new(ConfigDirs::new(ConfigRoot::temporary()));
        let known = config_dirs.make(&environment, Shared::default(), None).unwrap();
        assert!(!known.is_first(), "the operator has started it before");

        fs::remove_file(root.join(".claude.json")).unwrap();
        let [first, second] =
            [(); 2].map(|()| config_dirs.make(&environment, Shared::default(), None).unwrap());
        assert!(first.is_first() && second.is_first() && !first.path().join(".claude.json").exists());
        for not_yet in ["", "{", r#"{"migrationVersion":15}"#] {
            fs::write(first.path().join(".claude.json"), not_yet).unwrap();
            first.keep_first_start();
            assert!(first.is_first(), "{not_yet:?} is not all");
        }
        let noted =
            r#"{"userID":"u","machineID":{"a":1},"primaryApiKey":"the agent's","mcpServers":{"its":{}}}"#;
        fs::write(first.path().join(".claude.json"), noted).unwrap();
        first.keep_first_start();
        assert!(!first.is_first() && !second.is_first());
        let next = config_dirs.make(&environment, Shared::default(), None).unwrap();
        assert!(!next.is_first());
        assert_eq!(fs::read_to_string(next.path().join(".claude.json")).unwrap(), r#"{"userID":"u"}"#);

        fs::write(root.join(".claude.json"), "the operator's").unwrap();
        let config_dir = config_dirs.make(&environment, Shared::default(), None).unwrap();
        assert_eq!(fs::read_to_string(config_dir.path().join(".claude.json")).unwrap(), "the operator's");
        fs::remove_dir_all(root).unwrap();
    }
}
