//! One CLI process: its command line, the end of its stderr, and its exit message.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::unix::{ffi::OsStrExt, process::ExitStatusExt},
    path::Path,
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex},
};

use tokio::{
    io::AsyncReadExt,
    process::{Child, ChildStderr, Command},
};

use super::environment::Environment;
use crate::{
    agent::SessionSpec,
    claude::{error::StartError, options::Options, settings::Settings},
    sync::lock,
};

/// The maximum size of the kept end of stderr, in bytes.
const TAIL: usize = 8 << 10;

/// The arguments of every CLI process: JSON in both directions, prompts over the control protocol.
pub const FLAGS: [&str; 8] = [
    "--output-format",
    "stream-json",
    "--verbose",
    "--input-format",
    "stream-json",
    "--permission-prompt-tool",
    "stdio",
    "--include-partial-messages",
];

/// Builds the command line. Values follow a `=`, so that the CLI reads none of them as a flag.
pub(crate) fn arguments(
    spec: &SessionSpec,
    resume: bool,
    settings: &Settings,
    options: &Options,
) -> Result<Vec<OsString>, StartError> {
    let flag = if resume { "--resume" } else { "--session-id" };
    let mut arguments: Vec<OsString> = FLAGS.map(OsString::from).into();
    arguments.push(format!("{flag}={}", spec.session_id).into());
    arguments.extend(spec.model.as_ref().map(|model| format!("--model={model}").into()));
    arguments.extend(spec.permission_mode.as_ref().map(|mode| format!("--permission-mode={mode}").into()));
    arguments.extend(spec.effort.as_ref().map(|effort| format!("--effort={effort}").into()));
    if spec.allow_bypass || settings.allow_bypass {
        arguments.push("--allow-dangerously-skip-permissions".into());
    }
    if spec.transcripts.is_some() || settings.transcripts.is_some() {
        arguments.push("--session-mirror".into());
    }
    arguments.extend(options.flags());
    arguments.extend(settings.in_process.mcp_config().map(|config| format!("--mcp-config={config}").into()));
    arguments.extend_from_slice(&settings.arguments);
    if arguments.iter().any(|argument| has_nul(argument)) {
        return Err(StartError::BadValue(
            "the model, the permission mode and the options must not hold a NUL",
        ));
    }
    Ok(arguments)
}

fn has_nul(value: &OsStr) -> bool {
    value.as_bytes().contains(&0)
}

/// Builds a command that runs a program as agents run: behind the wrapper, as the agents' user.
pub(crate) fn command(settings: &Settings, program: &Path, environment: &Environment) -> Command {
    let mut command = match &settings.wrapper[..] {
        [] => Command::new(program),
        [wrapper, arguments @ ..] => {
            let mut command = Command::new(wrapper);
            command.args(arguments).arg(program);
            command
        }
    };
    command.env_clear().envs(environment);
    if let Some(user) = &settings.user {
        user.run(&mut command);
    }
    command
}

/// Starts the CLI as the leader of its own process group.
pub(crate) fn spawn(
    settings: &Settings,
    arguments: &[OsString],
    cwd: &Path,
    environment: &Environment,
) -> Result<Child, StartError> {
    let program = &settings.program;
    command(settings, program, environment)
        .args(arguments)
        .current_dir(cwd)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| match error.kind() {
            _ if !settings.wrapper.is_empty() => StartError::Wrapper((&settings.wrapper[0]).into(), error),
            io::ErrorKind::NotFound => StartError::NotFound(program.to_owned()),
            io::ErrorKind::PermissionDenied => StartError::NotExecutable(program.to_owned()),
            _ => StartError::Spawn(error),
        })
}

/// The last bytes that the CLI wrote to stderr.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tail(Arc<Mutex<Vec<u8>>>);

impl Tail {
    /// Reads stderr to its end and keeps the last bytes.
    pub(crate) async fn follow(self, mut stderr: ChildStderr) {
        let mut chunk = [0; 4096];
        while let Ok(read @ 1..) = stderr.read(&mut chunk).await {
            self.push(&chunk[..read]);
        }
    }

    fn push(&self, bytes: &[u8]) {
        let mut tail = lock(&self.0);
        tail.extend_from_slice(bytes);
        let surplus = tail.len().saturating_sub(TAIL);
        tail.drain(..surplus);
    }

    /// Returns the kept bytes as text without surrounding white space.
    pub(crate) fn text(&self) -> String {
        let tail = lock(&self.0);
        String::from_utf8_lossy(&tail).trim().to_owned()
    }
}

/// Describes how a process ended, in one sentence for clients.
pub(crate) fn exit_message(status: io::Result<ExitStatus>, tail: &str) -> String {
    let how = match status.map(|status| (status.code(), status.signal())) {
        Ok((Some(code), _)) => format!("exited with status {code}"),
        Ok((None, Some(signal))) => format!("was ended by signal {signal}"),
        _ => "ended".to_owned(),
    };
    if tail.is_empty() { format!("The agent {how}.") } else { format!("The agent {how}: {tail}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_become_flags() {
        let mut spec = SessionSpec::new("5b181949-e7a5-4552-9814-74e14b23ec5d", "/w");
        spec.model = Some("--dangerously-skip-permissions".to_owned());
        spec.permission_mode = Some("plan\n--x".to_owned());
        let mut settings = Settings::new("claude".into());
        settings.arguments.push("--mcp-config=x".into());
        let line = arguments(&spec, false, &settings, &Options::new().max_turns(3).tools(["--x"])).unwrap();
        let own: Vec<_> = line[FLAGS.len()..].iter().map(|argument| argument.to_str().unwrap()).collect();
        assert_eq!(
            own,
            [
                "--session-id=5b181949-e7a5-4552-9814-74e14b23ec5d",
                "--model=--dangerously-skip-permissions",
                "--permission-mode=plan\n--x",
                "--max-turns=3",
                "--tools=--x",
                "--mcp-config=x",
            ]
        );
        assert!(
            arguments(&spec, true, &settings, &Options::new()).unwrap()[FLAGS.len()]
                .to_str()
                .unwrap()
                .starts_with("--resume=")
        );
    }

    #[test]
    fn a_nul_is_refused() {
        let mut spec = SessionSpec::new("5b181949-e7a5-4552-9814-74e14b23ec5d", "/w");
        spec.model = Some("a\0b".to_owned());
        assert!(matches!(
            arguments(&spec, false, &Settings::new("claude".into()), &Options::new()),
            Err(StartError::BadValue(_))
        ));
    }

    #[test]
    fn the_tail_is_the_end() {
        let tail = Tail::default();
        for line in 0..2000 {
            tail.push(format!("line {line}\n").as_bytes());
        }
        assert!(tail.text().ends_with("line 1999") && tail.text().len() <= TAIL);
    }

    #[test]
    fn an_end_is_told_in_words() {
        assert_eq!(
            exit_message(Ok(ExitStatus::from_raw(1 << 8)), "no such model"),
            "The agent exited with status 1: no such model"
        );
        assert_eq!(exit_message(Ok(ExitStatus::from_raw(9)), ""), "The agent was ended by signal 9.");
    }
}
