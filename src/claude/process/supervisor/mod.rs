//! The task that owns one CLI process from its start until its cleanup is complete.

mod cleanup;
mod delivery;

use std::{collections::VecDeque, io, mem, process::ExitStatus, sync::Arc, time::Duration};

use rustix::process::{Pid, Signal};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{Child, ChildStdin, ChildStdout},
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep_until},
};
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::{
    cli_process::Tail,
    tag::{ProcessTag, end_group},
    termination::{Step, Termination},
    watcher::Watcher,
};
use crate::{
    agent::AgentIo,
    claude::{
        in_process::{Answer, Answering},
        protocol::{
            bridge::{Bridge, Stage},
            codec::{Framed, Framer},
        },
        settings::{Grace, Settings},
        transcripts::{config_dirs::ConfigDir, mirror::Mirror},
    },
    proto::{AgentCommand, AgentEvent},
};

const COMMANDS: usize = 256;
const EVENTS: usize = 1024;

/// The number of undelivered events at which reading from the CLI pauses.
const BACKLOG: usize = 1024;

/// The maximum size of one read, in bytes.
const CHUNK: usize = 64 << 10;

/// The interval at which MCP statuses are requested while a server connects.
const MCP_PAUSE: Duration = Duration::from_secs(1);

/// Maximum time from the handshake until the CLI has asked again what an earlier process had asked. Measured:
/// 0.1 s.
const ASK_AGAIN: Duration = Duration::from_secs(20);

/// Owns one CLI process: reads its output, writes its input, ends it and cleans up after it.
pub(crate) struct Supervisor {
    child: Child,
    group: Option<Pid>,
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    tail: Tail,
    stderr: JoinHandle<()>,
    framer: Framer,
    bridge: Bridge,
    commands: Option<mpsc::Receiver<AgentCommand>>,
    /// Commands that wait until the earlier ones are written.
    waiting: VecDeque<AgentCommand>,
    events: mpsc::Sender<AgentEvent>,
    /// Answers what the agent asks of this program.
    answering: Answering,
    termination: Termination,
    poll_mcp_at: Option<Instant>,
    grace: Grace,
    tag: ProcessTag,
    mirror: Option<Mirror>,
    config_dir: Option<ConfigDir>,
    /// The next event waits for the CLI to write to its transcript, at most until then.
    held_until: Option<Instant>,
    /// When the prompts must have been asked again.
    ask_again_until: Option<Instant>,
    /// The process was told to end while it asks: its stdin stays open, for its end would settle the prompt.
    suspended: bool,
    /// The process is being killed; no grace time applies and nothing more is stored.
    aborted: bool,
    /// Keeps the watcher alive as long as this agent.
    _watcher: Arc<Watcher>,
}

/// Why the task woke up.
enum Wake {
    Exited(io::Result<ExitStatus>),
    Read(io::Result<usize>),
    Wrote(io::Result<usize>),
    Room,
    Command(Option<AgentCommand>),
    Answered(Answer),
    NobodyListens,
    Deadline,
    PollMcp,
    Mirror(Option<AgentEvent>),
    Held,
    AskAgain,
}

/// What is said with an agent.
pub(crate) struct Conversation {
    pub(crate) bridge: Bridge,
    pub(crate) answering: Answering,
}

/// What an agent with a transcript store has besides its process.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Copies the agent's transcripts into the transcript store.
    pub(crate) mirror: Option<Mirror>,
    /// The agent's config directory, removed at its cleanup.
    pub(crate) config_dir: Option<ConfigDir>,
}

impl Supervisor {
    /// Spawns the supervisor of a process that was just started.
    pub(crate) fn start(
        mut child: Child,
        conversation: Conversation,
        tag: ProcessTag,
        memory: Memory,
        settings: &Settings,
        watcher: Arc<Watcher>,
        tracker: &TaskTracker,
    ) -> AgentIo {
        let Conversation { mut bridge, answering } = conversation;
        let (commands, commands_in) = mpsc::channel(COMMANDS);
        let (events_out, events) = mpsc::channel(EVENTS);
        let tail = Tail::default();
        let stderr = child.stderr.take().expect("stderr is piped");
        if memory.mirror.is_some() {
            bridge.transcribed().compare();
        }
        let supervisor = Self {
            group: child.id().and_then(|id| Pid::from_raw(id.cast_signed())),
            stdin: child.stdin.take(),
            stdout: child.stdout.take(),
            stderr: tracker.spawn(tail.clone().follow(stderr)),
            tail,
            framer: Framer::new(settings.line_limit),
            bridge,
            commands: Some(commands_in),
            waiting: VecDeque::new(),
            events: events_out,
            answering,
            termination: Termination::starting(&settings.grace),
            poll_mcp_at: None,
            grace: settings.grace,
            tag,
            mirror: memory.mirror,
            config_dir: memory.config_dir,
            held_until: None,
            ask_again_until: None,
            suspended: false,
            aborted: false,
            _watcher: watcher,
            child,
        };
        tracker.spawn(supervisor.run().in_current_span());
        AgentIo { commands, events }
    }

    async fn run(mut self) {
        let status = self.converse().await;
        self.clean_up(status).await;
    }

    /// Transfers lines and commands until the process has exited.
    async fn converse(&mut self) -> io::Result<ExitStatus> {
        let mut chunk = vec![0; CHUNK];
        loop {
            self.deliver();
            self.hand_down();
            self.bridge.take_calls().into_iter().for_each(|call| self.answering.take(call));
            self.end_input();
            match self.wake(&mut chunk).await {
                Wake::Exited(status) => return status,
                Wake::Read(Ok(read @ 1..)) => self.take(&chunk[..read]),
                Wake::Wrote(Ok(wrote)) => self.bridge.outbox().advance(wrote),
                // A CLI that closes its stdout is about to exit; if it does not, termination ends it.
                Wake::Read(_) => {
                    self.stdout = None;
                    self.close();
                }
                Wake::Wrote(Err(_)) => {
                    self.stdin = None;
                    self.close();
                }
                Wake::Room => {}
                Wake::Command(Some(AgentCommand::Abort)) => self.abort(),
                Wake::Command(Some(AgentCommand::SetOwner { owner })) => self.answering.set_owner(owner),
                Wake::Command(Some(command)) => self.waiting.push_back(command),
                Wake::Answered(Answer::Mcp(server, message)) => {
                    self.bridge.handle_mcp_server(&server, &message);
                }
                Wake::Answered(Answer::Verdict { request_id, ask, decision }) => {
                    self.bridge.handle_verdict(&request_id, ask, decision);
                }
                Wake::Answered(Answer::Hook { request_id, output, denied }) => {
                    self.bridge.handle_hook(&request_id, output.as_deref(), denied);
                }
                Wake::Command(None) | Wake::NobodyListens => self.close(),
                Wake::Deadline => self.next_step(),
                Wake::PollMcp => {
                    self.poll_mcp_at = None;
                    self.bridge.ask_mcp_status();
                }
                Wake::Mirror(report) => self.report_first(report),
                Wake::Held => self.release(),
                Wake::AskAgain => {
                    self.ask_again_until = None;
                    self.bridge.give_up_asking();
                }
            }
        }
    }

    /// Waits for the next event. Reads and writes are awaited together: a CLI that blocks on a full stdout
    /// pipe reads no stdin, so awaiting one at a time could deadlock.
    async fn wake(&mut self, chunk: &mut [u8]) -> Wake {
        let backlog = self.bridge.events().len();
        let nobody_listens = self.events.is_closed();
        let closing = self.termination.is_closing();
        let held = self.is_held();
        let room = self.waiting.len() < COMMANDS;
        let out = self.bridge.outbox().rest();
        tokio::select! {
            status = self.child.wait() => Wake::Exited(status),
            read = read(self.stdout.as_mut(), chunk), if self.stdout.is_some() && backlog < BACKLOG => Wake::Read(read),
            wrote = write(self.stdin.as_mut(), out), if self.stdin.is_some() && !out.is_empty() => Wake::Wrote(wrote),
            _ = self.events.reserve(), if backlog > 0 && !held && !nobody_listens => Wake::Room,
            command = receive(self.commands.as_mut()), if self.commands.is_some() && room => Wake::Command(command),
            answer = self.answering.next(), if out.is_empty() => Wake::Answered(answer),
            () = self.events.closed(), if !closing => Wake::NobodyListens,
            () = until(self.termination.deadline()), if self.termination.deadline().is_some() => Wake::Deadline,
            () = until(self.poll_mcp_at), if self.poll_mcp_at.is_some() && !closing => Wake::PollMcp,
            () = until(self.held_until), if self.held_until.is_some() => Wake::Held,
            () = until(self.ask_again_until), if self.ask_again_until.is_some() => Wake::AskAgain,
            report = progress(self.mirror.as_mut()), if self.mirror.is_some() => Wake::Mirror(report),
        }
    }

    fn take(&mut self, chunk: &[u8]) {
        let before = self.bridge.events().len();
        self.framer.feed(chunk);
        while let Some(framed) = self.framer.next() {
            hand_on(&mut self.bridge, framed);
        }
        // A prompt may outlive the process: the plan that it asks about must be stored, too.
        let pauses = |event: &AgentEvent| matches!(event, AgentEvent::TurnEnded(_) | AgentEvent::Ask(_));
        let pauses = self.bridge.events().iter().skip(before).any(pauses);
        self.keep();
        if let Some(mirror) = self.mirror.as_mut().filter(|_| pauses) {
            mirror.scan_files();
        }
        self.note_first_start();
        match (self.termination.is_starting(), self.bridge.stage()) {
            (true, Stage::Ready) => {
                self.termination = Termination::Running;
                self.ask_again_until = self.bridge.asks_again().then(|| Instant::now() + ASK_AGAIN);
            }
            (true, Stage::Failed) => self.close(),
            _ => {}
        }
        if self.bridge.mcp_pending() && self.poll_mcp_at.is_none() {
            self.poll_mcp_at = Some(Instant::now() + MCP_PAUSE);
        }
    }

    /// Stores the CLI's first-start data at the end of a turn: by then the CLI has written all of it.
    fn note_first_start(&mut self) {
        let ends = |event: &AgentEvent| matches!(event, AgentEvent::TurnEnded(_));
        if let Some(config_dir) = self.config_dir.as_ref().filter(|config_dir| config_dir.is_first())
            && self.bridge.events().iter().any(ends)
        {
            config_dir.keep_first_start();
        }
    }

    /// Passes commands to the bridge, each once the frames of the previous one are written to the CLI.
    fn hand_down(&mut self) {
        while self.bridge.outbox().rest().is_empty()
            && let Some(command) = self.waiting.pop_front()
        {
            self.bridge.handle_command(command);
        }
    }

    /// Kills the process without grace and stores nothing more.
    fn abort(&mut self) {
        self.aborted = true;
        self.commands = None;
        self.mirror = None;
        self.termination = Termination::Killed;
        self.signal(Signal::KILL);
    }

    /// Starts the termination: passes on the waiting commands, interrupts a running turn and takes no more
    /// commands.
    fn close(&mut self) {
        self.commands = None;
        if self.termination.is_closing() {
            return;
        }
        for command in mem::take(&mut self.waiting) {
            self.bridge.handle_command(command);
        }
        if self.bridge.can_be_suspended() {
            return self.suspend();
        }
        if self.bridge.in_turn() {
            self.bridge.interrupt();
        }
        self.termination = Termination::input_ended(&self.grace);
    }

    /// Starts the termination of a process that waits for an answer. Measured: SIGTERM leaves the tool call open
    /// in the transcript; an interrupt rejects it, and the end of stdin is an answer too.
    fn suspend(&mut self) {
        self.suspended = true;
        self.termination = Termination::input_ended(&self.grace);
        self.next_step();
    }

    /// Closes stdin during termination, once everything is written.
    fn end_input(&mut self) {
        if self.suspended {
            return;
        }
        if self.termination.is_closing() && self.bridge.outbox().rest().is_empty() {
            self.stdin = None;
        }
        if self.stdin.is_none() {
            self.bridge.outbox().clear();
        }
    }

    /// Does the next step of the termination.
    fn next_step(&mut self) {
        match self.termination.next_step(&self.grace) {
            Step::GiveUpStart => {
                let message = "The agent did not answer in time after its start.".to_owned();
                let code = "agent_start_failed".to_owned();
                self.bridge.events().push_back(AgentEvent::Error { code, message });
                self.close();
            }
            Step::Signal(signal) => self.signal(signal),
        }
    }

    fn signal(&self, signal: Signal) {
        // The group's leader is not reaped yet, so its id cannot have been reused.
        if let Some(group) = self.group {
            end_group(group, signal);
        }
    }
}

fn hand_on(bridge: &mut Bridge, framed: Framed<'_>) {
    match framed {
        Framed::Line(line) => bridge.handle_line(line),
        Framed::Oversize { length } => bridge.handle_oversize(length),
    }
}

async fn read(stdout: Option<&mut ChildStdout>, chunk: &mut [u8]) -> io::Result<usize> {
    match stdout {
        Some(stdout) => stdout.read(chunk).await,
        None => Ok(0),
    }
}

async fn write(stdin: Option<&mut ChildStdin>, bytes: &[u8]) -> io::Result<usize> {
    match stdin {
        Some(stdin) => stdin.write(bytes).await,
        None => Ok(0),
    }
}

async fn receive(commands: Option<&mut mpsc::Receiver<AgentCommand>>) -> Option<AgentCommand> {
    commands?.recv().await
}

async fn progress(mirror: Option<&mut Mirror>) -> Option<AgentEvent> {
    match mirror {
        Some(mirror) => mirror.progress().await,
        None => None,
    }
}

async fn until(at: Option<Instant>) {
    if let Some(at) = at {
        sleep_until(at).await;
    }
}
