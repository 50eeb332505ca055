//! Finds out whether agents can run: with their user and behind their wrapper.

use std::{
    io,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    sync::Arc,
    time::Duration,
};

use rustix::process::Pid;
use tokio::{process::Command, task::spawn_blocking, time::timeout};

use super::{
    Claude,
    error::SetupError,
    process::{cli_process::command, tag::ProcessTag},
    settings::Settings,
    transcripts::config_dirs::{ConfigDir, Shared, configured_dir},
};

/// Maximum time for the probe. Measured: 0.3 s.
const PATIENCE: Duration = Duration::from_secs(30);

/// The maximum length of what is quoted of a wrapper's complaint, in bytes.
const QUOTED: usize = 300;

impl Claude {
    /// Finds out whether agents can run with these settings: starts `claude --version` as their
    /// [user](Self::agent_user) and behind their [wrapper](Self::agent_wrapper), with a config directory of its own,
    /// and tries to write to these directories.
    ///
    /// # Errors
    /// What an agent cannot use, in one sentence that names it.
    pub async fn probe(&self, workspaces: &[PathBuf]) -> Result<(), SetupError> {
        let settings = self.settings();
        let folder = self.config_dirs().path();
        let who = who(settings);
        if let Some(user) = &settings.user {
            user.check()?;
            // Those that do not exist will be created, and belong to root.
            if let Some(open) = folder.ancestors().skip(1).find(|above| user.can_replace_in(above)) {
                return Err(SetupError::new(format!(
                    "{who} could replace their config directories, because they can write to {}: choose a state \
                     directory below directories that belong to root",
                    open.display()
                )));
            }
        }
        let tag = self.tag();
        let mut environment = settings.environment(&tag, &settings.options);
        let configured = configured_dir(&environment);
        let (config_dirs, user) = (Arc::clone(self.config_dirs()), settings.user.clone());
        let made = spawn_blocking(move || {
            let config_dir = config_dirs.make(&environment, Shared::default(), user)?;
            environment.insert("CLAUDE_CONFIG_DIR".into(), config_dir.path().into());
            Ok((config_dir, environment))
        });
        let made: io::Result<_> = made.await.unwrap_or_else(|error| Err(error.into()));
        let (config_dir, environment) = made.map_err(|error| {
            let operators = configured.unwrap_or_default();
            SetupError::new(format!(
                "a config directory for {who} with what they may read of {} cannot be created below {}: {error}",
                operators.display(),
                folder.display()
            ))
        })?;
        let mut command = command(settings, Path::new("/bin/sh"), &environment);
        command
            .args(["-c", include_str!("probe.sh"), "agent-webkit-probe"])
            .arg(&settings.program)
            .args(workspaces);
        let output = run(&mut command, &tag, config_dir).await;
        let output = output.map_err(|error| {
            let program =
                settings.wrapper.first().map_or("/bin/sh".into(), |wrapper| wrapper.to_string_lossy());
            SetupError::new(format!("{program} cannot be executed for {who}: {error}"))
        })?;
        let found = String::from_utf8_lossy(&output.stdout);
        let mut found = found.lines();
        match found.next() {
            Some("done") => Ok(()),
            Some(problem) => Err(SetupError::new(sentence(problem, &who, settings, folder, workspaces))),
            None => Err(SetupError::new(did_not_run(&output, settings))),
        }
    }
}

/// Runs the probe, ends everything that it started and removes its config directory.
async fn run(command: &mut Command, tag: &ProcessTag, config_dir: ConfigDir) -> io::Result<Output> {
    let child = command
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn();
    let output = match child {
        Ok(child) => {
            let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
            let output = timeout(PATIENCE, child.wait_with_output()).await;
            let tag = tag.clone();
            spawn_blocking(move || tag.end_all(group, Duration::ZERO)).await?;
            output.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        }
        Err(error) => Err(error),
    };
    spawn_blocking(move || drop(config_dir)).await?;
    output
}

/// The agents, as the subject of a sentence.
fn who(settings: &Settings) -> String {
    match &settings.user {
        Some(user) => format!("agents of the user {}", user.name()),
        None => "agents".to_owned(),
    }
}

fn sentence(problem: &str, who: &str, settings: &Settings, folder: &Path, workspaces: &[PathBuf]) -> String {
    let (program, folder) = (settings.program.display(), folder.display());
    let workspace = || workspaces.get(problem.strip_prefix("workspace ")?.parse::<usize>().ok()?);
    match problem {
        "environment" => "the agent wrapper does not pass on the environment".to_owned(),
        "config" => format!(
            "{who} cannot write to their config directories below {folder}: the directories above must be searchable \
             for their user, and a wrapper must neither hide them nor switch to another user"
        ),
        "temporary" => {
            format!("{who} cannot write to the temporary directory: set TMPDIR to one that they can write to")
        }
        "cli" => format!(
            "{who} cannot run the claude CLI at {program}: it must be readable for their user, with the folder \
             node_modules that holds it and the directories above"
        ),
        "version" => format!("{who} cannot run the claude CLI at {program}: its --version failed"),
        _ => match workspace() {
            Some(workspace) => format!("{who} cannot read and write the workspace {}", workspace.display()),
            None => format!("{who} cannot run: {problem}"),
        },
    }
}

/// Describes a wrapper that ended without having run the command.
fn did_not_run(output: &Output, settings: &Settings) -> String {
    let wrapper: Vec<_> = settings.wrapper.iter().map(|part| part.to_string_lossy()).collect();
    let complaint = String::from_utf8_lossy(&output.stderr);
    let complaint = complaint.trim().lines().last().unwrap_or("it said nothing");
    let complaint: String = complaint.chars().take(QUOTED).collect();
    format!(
        "the agent wrapper {} did not run its command ({}): {complaint}",
        wrapper.join(" "),
        output.status
    )
}
