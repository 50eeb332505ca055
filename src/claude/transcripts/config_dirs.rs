//! Configuration folders of the agents' own, for agents whose transcripts are kept in a store.
//!
//! Measured: the CLI reads settings, credentials, memory, agents, commands and skills through symbolic links,
//! and writes settings through them, also through one that points at nothing yet. So everything the operator
//! has is there; what a process keeps for itself, its transcripts above all, stays in its own folder.
//!
//! Measured too: a CLI that finds no `.claude.json` takes it for its first start, migrates and counts the user
//! in, which costs it some 30 ms. Where the operator has none, as in a container with nothing but an API key,
//! that would be so with every agent; so what the first one notes is given to the next.

use std::{
    collections::BTreeMap,
    env, fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, symlink},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use serde_json::Value;

use crate::claude::process::environment::Environment;

/// What the CLI keeps for one process or one machine. Nothing of it configures an agent.
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

/// Rewritten by every process: each gets a copy.
const COPIED: &[&str] = &[".claude.json", ".config.json"];

/// What a CLI notes at its first start to know that the next one is not, and nothing else of what may be in such
/// a file: an agent can write its own, and what it writes must not reach the others.
const FIRST_START: &[&str] = &[
    "firstStartTime",
    "firstStartVersion",
    "hasResetAutoModeOptInForDefaultOffer",
    "machineID",
    "migrationVersion",
    "opusProMigrationComplete",
    USER,
];

/// The last of them that is noted.
const USER: &str = "userID";

/// Linked even if it is not there yet: the permissions that a user grants for ever are written to it.
const SETTINGS: &str = "settings.json";

/// The folder that holds all homes of one backend. Removed with the last of them, or by the watcher.
#[derive(Debug)]
pub(crate) struct ConfigDirs {
    path: PathBuf,
    /// What the CLI noted at its first start, if the operator has never started it.
    first_start: OnceLock<Vec<u8>>,
}

/// One agent's configuration folder, removed on drop.
#[derive(Debug)]
pub(crate) struct ConfigDir {
    path: PathBuf,
    config_dirs: Arc<ConfigDirs>,
    /// Nothing was there that an earlier start has noted.
    is_first: bool,
}

impl ConfigDirs {
    /// A place for homes in the temporary folder; nothing is there yet.
    pub(crate) fn new() -> Self {
        let temporary = env::temp_dir();
        let temporary = temporary.canonicalize().unwrap_or(temporary);
        let path = temporary.join(format!("agent-webkit-{}", uuid::Uuid::new_v4()));
        Self { path, first_start: OnceLock::new() }
    }

    /// Where they are.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A home for one agent, which sees what the operator configured. Blocks for a moment.
    pub(crate) fn make(self: &Arc<Self>, environment: &Environment) -> io::Result<ConfigDir> {
        make_private(&self.path)?;
        let path = self.path.join(uuid::Uuid::new_v4().to_string());
        private_dir().create(&path)?;
        let mut config_dir = ConfigDir { path, config_dirs: Arc::clone(self), is_first: false };
        if let Some(operators) = configured_dir(environment) {
            furnish(&config_dir.path, &operators)?;
        }
        let mut noted = false;
        if let Some(folder) = config_parent(environment) {
            for name in COPIED {
                noted |= copy(&folder.join(name), &config_dir.path.join(name))?;
            }
        }
        if !noted {
            match self.first_start.get() {
                Some(content) => write(&config_dir.path.join(COPIED[0]), content)?,
                None => config_dir.is_first = true,
            }
        }
        Ok(config_dir)
    }
}

impl Drop for ConfigDirs {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

impl ConfigDir {
    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What this agent's CLI notes is wanted for the next ones, and not there yet.
    pub(crate) fn is_first(&self) -> bool {
        self.is_first && self.config_dirs.first_start.get().is_none()
    }

    /// Takes what the CLI has noted by now, if that is all. Reads a small file.
    pub(crate) fn keep_first_start(&self) {
        let noted = fs::read(self.path.join(COPIED[0])).ok();
        let noted: Option<BTreeMap<String, Value>> =
            noted.and_then(|content| serde_json::from_slice(&content).ok());
        let Some(mut noted) = noted else { return };
        noted.retain(|name, value| {
            FIRST_START.contains(&name.as_str()) && !value.is_object() && !value.is_array()
        });
        if noted.contains_key(USER) {
            let content = serde_json::to_vec(&noted).expect("it was read from JSON");
            // Another one came first, which is as good.
            let _ = self.config_dirs.first_start.set(content);
        }
    }

    /// Shows what the CLI has learned about a project on this machine, which is no session's own.
    pub(crate) fn share_memory(&self, environment: &Environment, project_folder: &str) -> io::Result<()> {
        let below = Path::new("projects").join(project_folder).join("memory");
        let Some(operators) = configured_dir(environment).map(|folder| folder.join(&below)) else {
            return Ok(());
        };
        // Where it may not be made, nothing is learned.
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

/// The operator's configuration folder.
pub(crate) fn configured_dir(environment: &Environment) -> Option<PathBuf> {
    set_config_dir(environment).or_else(|| Some(variable(environment, "HOME")?.join(".claude")))
}

/// The folder of `.claude.json`, which lies beside `~/.claude` and not in it.
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

/// A builder of folders that nobody else may look into.
pub(crate) fn private_dir() -> fs::DirBuilder {
    let mut builder = fs::DirBuilder::new();
    builder.mode(0o700);
    builder
}

/// The folder is there, ours, and closed to others.
fn make_private(path: &Path) -> io::Result<()> {
    match private_dir().create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let found = fs::symlink_metadata(path)?;
            let ours = found.uid() == rustix::process::geteuid().as_raw();
            if found.is_dir() && ours && found.mode() & 0o077 == 0 { Ok(()) } else { Err(error) }
        }
        made => made,
    }
}

fn furnish(config_dir: &Path, operators: &Path) -> io::Result<()> {
    // The CLI would make it too; where it may not, nothing is configured.
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
    symlink(operators.join(SETTINGS), config_dir.join(SETTINGS))
}

/// Copies a file, if it is there.
fn copy(from: &Path, to: &Path) -> io::Result<bool> {
    match fs::read(from) {
        Ok(content) => write(to, &content).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn write(to: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    io::Write::write_all(&mut file, content)
}

fn remove(folder: &Path) {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::error!(%error, folder = %folder.display(), "an agent's folder could not be removed");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

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
        let config_dirs = Arc::new(ConfigDirs::new());
        let config_dir = config_dirs.make(&environment).unwrap();
        for folder in [config_dirs.path(), config_dir.path()] {
            assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
        }
        let here = config_dir.path().to_owned();
        assert_eq!(fs::read_to_string(here.join("CLAUDE.md")).unwrap(), "be kind");
        assert!(!here.join("projects").exists());
        assert!(fs::symlink_metadata(here.join(".claude.json")).unwrap().is_file(), "its own copy");
        fs::write(here.join("settings.json"), "{}").unwrap();
        assert!(root.join("settings.json").exists(), "what is granted for ever stays");

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
        let config_dirs = Arc::new(ConfigDirs::new());
        let known = config_dirs.make(&environment).unwrap();
        assert!(!known.is_first(), "the operator has started it before");

        fs::remove_file(root.join(".claude.json")).unwrap();
        let [first, second] = [(); 2].map(|()| config_dirs.make(&environment).unwrap());
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
        let next = config_dirs.make(&environment).unwrap();
        assert!(!next.is_first());
        assert_eq!(fs::read_to_string(next.path().join(".claude.json")).unwrap(), r#"{"userID":"u"}"#);

        fs::write(root.join(".claude.json"), "the operator's").unwrap();
        let config_dir = config_dirs.make(&environment).unwrap();
        assert_eq!(fs::read_to_string(config_dir.path().join(".claude.json")).unwrap(), "the operator's");
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_folder_of_someone_elses_is_not_taken() {
        let config_dirs = Arc::new(ConfigDirs::new());
        let elsewhere = config_dirs.path().with_extension("elsewhere");
        private_dir().create(&elsewhere).unwrap();
        symlink(&elsewhere, config_dirs.path()).unwrap();
        assert!(config_dirs.make(&Environment::new()).is_err());
        fs::remove_file(config_dirs.path()).unwrap();
        private_dir().mode(0o755).create(config_dirs.path()).unwrap();
        assert!(config_dirs.make(&Environment::new()).is_err());
        fs::remove_dir(elsewhere).unwrap();
    }
}
