//! A real CLI behind the backend, with its own home and the practice model.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use agent_webkit::{
    agent::{AgentIo, SessionSpec},
    claude::{Claude, Grace},
    practice::Model,
    proto::{AgentCommand, AgentEvent, Ask, Decision, Delta, TurnEnd},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::value::{RawValue, to_raw_value};
use tempfile::TempDir;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

#[path = "cli.rs"]
mod cli;
#[path = "faulty_store.rs"]
pub(crate) mod faulty_store;
#[path = "script.rs"]
pub(crate) mod script;

/// Maximum time for any step of a test.
const PATIENCE: Duration = Duration::from_secs(60);

/// A machine with the CLI: its own folders, and the model.
pub(crate) struct Machine {
    pub(crate) dirs: TempDir,
    pub(crate) claude: Claude,
    pub(crate) tracker: TaskTracker,
    _model: Option<Model>,
}

impl Machine {
    pub(crate) async fn new() -> Self {
        let model = Model::bind("127.0.0.1:0").await.expect("a port");
        let dirs = tempfile::Builder::new().prefix("agent-webkit-").tempdir().expect("a directory");
        let url = model.url();
        Self { _model: Some(model), ..Self::at(dirs, &url) }
    }

    /// Creates a machine with existing folders and an existing model.
    pub(crate) fn at(dirs: TempDir, model_url: &str) -> Self {
        for name in ["home", "workspace"] {
            fs::create_dir_all(dirs.path().join(name)).expect("a directory");
        }
        let mut grace = Grace::default();
        grace.input = Duration::from_secs(1);
        grace.term = Duration::from_secs(1);
        let tracker = TaskTracker::new();
        let claude = Claude::new(cli::claude())
            .env("HOME", dirs.path().join("home"))
            .config_dir(dirs.path().join("config"))
            .env("ANTHROPIC_BASE_URL", model_url)
            .env("ANTHROPIC_API_KEY", "x")
            .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
            .grace(grace)
            .tracker(tracker.clone());
        Self { dirs, claude, tracker, _model: None }
    }

    /// Changes the backend's settings.
    pub(crate) fn with(mut self, change: impl FnOnce(Claude) -> Claude) -> Self {
        self.claude = change(self.claude);
        self
    }

    pub(crate) fn workspace(&self) -> PathBuf {
        self.dirs.path().join("workspace")
    }

    pub(crate) fn spec(&self) -> SessionSpec {
        SessionSpec::new(uuid::Uuid::new_v4(), self.workspace())
    }

    pub(crate) async fn start(&self, spec: SessionSpec) -> Agent {
        let io = self.claude.clone().oneshot(spec).await.expect("the CLI starts");
        Agent { io, seen: Vec::new() }
    }

    /// Starts an agent with a new session.
    pub(crate) async fn agent(&self) -> Agent {
        self.start(self.spec()).await
    }

    /// Returns the process id of the CLI on this machine.
    pub(crate) fn cli(&self) -> i32 {
        let is_cli = |pid: &i32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains("--permission-prompt-tool")
        };
        // A process has no command line between its fork and its exec.
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            match self.processes().into_iter().find(is_cli) {
                Some(pid) => return pid,
                None => assert!(Instant::now() < deadline, "the CLI does not run"),
            }
            std::thread::yield_now();
        }
    }

    /// The config directory of the running agent.
    pub(crate) fn home(&self) -> PathBuf {
        let environ = fs::read(format!("/proc/{}/environ", self.cli())).expect("it runs");
        let environ = String::from_utf8(environ).expect("text");
        let mut variables = environ.split('\0');
        variables.find_map(|variable| variable.strip_prefix("CLAUDE_CONFIG_DIR=")).expect("it has one").into()
    }

    /// The processes of this machine's agents, found by their home.
    pub(crate) fn processes(&self) -> Vec<i32> {
        processes(&self.dirs.path().join("home"))
    }
}

/// The processes with this home in their environment.
pub(crate) fn processes(home: &Path) -> Vec<i32> {
    let home = format!("HOME={}", home.display());
    let all = fs::read_dir("/proc").expect("a Linux machine").flatten();
    all.filter_map(|process| process.file_name().to_str()?.parse().ok())
        .filter(|pid: &i32| {
            let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environ.split(|byte| *byte == 0).any(|variable| variable == home.as_bytes())
        })
        .collect()
}

/// Kills a process by SIGKILL.
pub(crate) fn kill(pid: i32) {
    kill_process(Pid::from_raw(pid).expect("a process"), Signal::KILL).expect("it is ours");
}

/// Waits until `so` returns true, and blocks the thread.
pub(crate) fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < PATIENCE, "it never came: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until `so` returns true, while the runtime's other tasks run.
pub(crate) async fn comes_true(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !so().await {
        assert!(start.elapsed() < PATIENCE, "it never came: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// An agent, and all its events.
pub(crate) struct Agent {
    pub(crate) io: AgentIo,
    pub(crate) seen: Vec<AgentEvent>,
}

impl Agent {
    pub(crate) async fn command(&self, command: AgentCommand) {
        self.io.commands.send(command).await.expect("the agent listens");
    }

    pub(crate) async fn say(&self, text: impl ToString) {
        let content = to_raw_value(&text.to_string()).expect("a string");
        let message_uuid = uuid::Uuid::new_v4().to_string();
        self.command(AgentCommand::User { content, message_uuid, verbatim: false }).await;
    }

    pub(crate) async fn decide(&self, ask: &Ask, decision: Decision) {
        let correlation_id = ask.correlation_id.clone();
        self.command(AgentCommand::Decide { correlation_id, decision }).await;
    }

    pub(crate) async fn allow(&self, ask: &Ask) {
        self.decide(ask, Decision::Allow { updated_input: None, updated_permissions: None }).await;
    }

    /// Reads up to the next event in which `find` finds something.
    pub(crate) async fn until<T>(&mut self, mut find: impl FnMut(&AgentEvent) -> Option<T>) -> T {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.io.events.recv()).await;
            let Ok(Some(event)) = next else { panic!("it never came, but {:#?}", self.seen) };
            let found = find(&event);
            self.seen.push(event);
            if let Some(found) = found {
                return found;
            }
        }
    }

    pub(crate) async fn turn_end(&mut self) -> TurnEnd {
        self.until(|event| match event {
            AgentEvent::TurnEnded(end) => Some(end.clone()),
            _ => None,
        })
        .await
    }

    pub(crate) async fn ask(&mut self) -> Ask {
        self.until(|event| match event {
            AgentEvent::Ask(ask) => Some(ask.clone()),
            _ => None,
        })
        .await
    }

    /// Reads up to the result of this tool call. Returns its text, and whether the call failed.
    pub(crate) async fn tool_result(&mut self, id: &str) -> (String, bool) {
        self.until(|event| match event {
            AgentEvent::ToolResult { tool_use_id, output, is_error, .. } if tool_use_id == id => {
                Some((output.get().to_owned(), *is_error))
            }
            _ => None,
        })
        .await
    }

    pub(crate) async fn answer(&mut self) -> Result<(), String> {
        self.until(|event| match event {
            AgentEvent::Answer { outcome, .. } => Some(outcome.clone()),
            _ => None,
        })
        .await
    }

    /// Reads to the exit, which is the last event, and returns its message.
    pub(crate) async fn exited(&mut self) -> String {
        let message = self
            .until(|event| match event {
                AgentEvent::Exited { message } => Some(message.clone()),
                _ => None,
            })
            .await;
        assert!(self.io.events.recv().await.is_none());
        message
    }

    /// Asks the agent to end, and reads to its exit.
    pub(crate) async fn close(self) -> String {
        let AgentIo { commands, events } = self.io;
        drop(commands);
        let (nobody, _) = tokio::sync::mpsc::channel(1);
        let mut rest = Self { io: AgentIo { commands: nobody, events }, seen: self.seen };
        rest.exited().await
    }

    /// The text of all deltas so far.
    pub(crate) fn text(&self) -> String {
        let texts = self.seen.iter().filter_map(|event| match event {
            AgentEvent::Delta { delta: Delta::Text(text), .. } => Some(string(text)),
            _ => None,
        });
        texts.collect()
    }
}

/// Returns the text of a JSON string.
pub(crate) fn string(raw: &RawValue) -> String {
    serde_json::from_str(raw.get()).expect("a string")
}

/// Returns the member with this name.
pub(crate) fn member<'a>(extra: &'a [(String, Box<RawValue>)], name: &str) -> &'a str {
    extra.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.get())
}
