//! The task that owns one CLI process, from its start to the moment when nothing of it is left.

use std::{io, process::ExitStatus, sync::Arc, time::Duration};

use rustix::process::{Pid, Signal};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{Child, ChildStdin, ChildStdout},
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::{
    bridge::{Bridge, Stage},
    codec::{Framed, Framer},
    ladder::{Ladder, Step},
    mark::{Mark, end_group},
    process::{Tail, obituary},
    settings::{Grace, Settings},
    watcher::Watcher,
};
use crate::{
    agent::AgentIo,
    proto::{AgentCommand, AgentEvent},
};

const COMMANDS: usize = 256;
const EVENTS: usize = 1024;

/// Reading pauses while so many events wait for the session.
const BACKLOG: usize = 1024;

/// So much is read at once, in bytes.
const CHUNK: usize = 64 << 10;

/// While MCP servers connect, their statuses are asked for this often.
const MCP_PAUSE: Duration = Duration::from_secs(1);

/// A pipe that is still open so long after all its writers should be gone is given up.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Owns a process: reads, writes, ends and buries it.
pub(super) struct Supervisor {
    child: Child,
    group: Option<Pid>,
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    tail: Tail,
    stderr: JoinHandle<()>,
    framer: Framer,
    bridge: Bridge,
    commands: Option<mpsc::Receiver<AgentCommand>>,
    events: mpsc::Sender<AgentEvent>,
    ladder: Ladder,
    poll_mcp_at: Option<Instant>,
    grace: Grace,
    mark: Mark,
    /// Held, so that it lives as long as the last agent.
    _watcher: Arc<Watcher>,
}

/// What the task woke up for.
enum Wake {
    Exited(io::Result<ExitStatus>),
    Read(io::Result<usize>),
    Wrote(io::Result<usize>),
    Room,
    Command(Option<AgentCommand>),
    NobodyListens,
    Deadline,
    PollMcp,
}

impl Supervisor {
    /// Takes charge of a process that was just started.
    pub(super) fn start(
        mut child: Child,
        mark: Mark,
        settings: &Settings,
        watcher: Arc<Watcher>,
        tracker: &TaskTracker,
    ) -> AgentIo {
        let (commands, commands_in) = mpsc::channel(COMMANDS);
        let (events_out, events) = mpsc::channel(EVENTS);
        let tail = Tail::default();
        let stderr = child.stderr.take().expect("stderr is piped");
        let supervisor = Self {
            group: child.id().and_then(|id| Pid::from_raw(id.cast_signed())),
            stdin: child.stdin.take(),
            stdout: child.stdout.take(),
            stderr: tracker.spawn(tail.clone().follow(stderr)),
            tail,
            framer: Framer::new(settings.line_limit),
            bridge: Bridge::new(settings.hooks.as_deref()),
            commands: Some(commands_in),
            events: events_out,
            ladder: Ladder::starting(&settings.grace),
            poll_mcp_at: None,
            grace: settings.grace,
            mark,
            _watcher: watcher,
            child,
        };
        tracker.spawn(supervisor.run().in_current_span());
        AgentIo { commands, events }
    }

    async fn run(mut self) {
        let status = self.converse().await;
        self.bury(status).await;
    }

    /// Carries lines and commands until the process has exited.
    async fn converse(&mut self) -> io::Result<ExitStatus> {
        let mut chunk = vec![0; CHUNK];
        loop {
            self.deliver();
            self.end_input();
            match self.wake(&mut chunk).await {
                Wake::Exited(status) => return status,
                Wake::Read(Ok(read @ 1..)) => self.take(&chunk[..read]),
                Wake::Wrote(Ok(wrote)) => self.bridge.outbox().advance(wrote),
                // It is about to exit. Should it not, it is of no use any more.
                Wake::Read(_) => {
                    self.stdout = None;
                    self.close();
                }
                Wake::Wrote(Err(_)) => {
                    self.stdin = None;
                    self.close();
                }
                Wake::Room => {}
                Wake::Command(Some(command)) => self.bridge.handle_command(command),
                Wake::Command(None) | Wake::NobodyListens => self.close(),
                Wake::Deadline => self.climb(),
                Wake::PollMcp => {
                    self.poll_mcp_at = None;
                    self.bridge.ask_mcp_status();
                }
            }
        }
    }

    /// Waits for whatever comes first. Reading and writing wait side by side, so a process that is stuck
    /// on the one is still served on the other.
    async fn wake(&mut self, chunk: &mut [u8]) -> Wake {
        let backlog = self.bridge.events().len();
        let nobody_listens = self.events.is_closed();
        let closing = self.ladder.is_closing();
        let out = self.bridge.outbox().rest();
        tokio::select! {
            status = self.child.wait() => Wake::Exited(status),
            read = read(self.stdout.as_mut(), chunk), if self.stdout.is_some() && backlog < BACKLOG => Wake::Read(read),
            wrote = write(self.stdin.as_mut(), out), if self.stdin.is_some() && !out.is_empty() => Wake::Wrote(wrote),
            _ = self.events.reserve(), if backlog > 0 && !nobody_listens => Wake::Room,
            command = receive(self.commands.as_mut()), if self.commands.is_some() && out.is_empty() => Wake::Command(command),
            () = self.events.closed(), if !closing => Wake::NobodyListens,
            () = until(self.ladder.deadline()), if self.ladder.deadline().is_some() => Wake::Deadline,
            () = until(self.poll_mcp_at), if self.poll_mcp_at.is_some() && !closing => Wake::PollMcp,
        }
    }

    fn take(&mut self, chunk: &[u8]) {
        self.framer.feed(chunk);
        while let Some(framed) = self.framer.next() {
            hand_on(&mut self.bridge, framed);
        }
        match (self.ladder.is_starting(), self.bridge.stage()) {
            (true, Stage::Ready) => self.ladder = Ladder::Running,
            (true, Stage::Failed) => self.close(),
            _ => {}
        }
        if self.bridge.mcp_pending() && self.poll_mcp_at.is_none() {
            self.poll_mcp_at = Some(Instant::now() + MCP_PAUSE);
        }
    }

    /// Passes on what there is room for.
    fn deliver(&mut self) {
        let events = self.bridge.events();
        if self.events.is_closed() {
            events.clear();
        }
        while !events.is_empty()
            && let Ok(permit) = self.events.try_reserve()
        {
            permit.send(events.pop_front().expect("there is one"));
        }
    }

    /// Stops the turn, then takes no more input.
    fn close(&mut self) {
        self.commands = None;
        if self.ladder.is_closing() {
            return;
        }
        if self.bridge.in_turn() {
            self.bridge.interrupt();
        }
        self.ladder = Ladder::input_ended(&self.grace);
    }

    /// On closing the input ends once everything is written.
    fn end_input(&mut self) {
        if self.ladder.is_closing() && self.bridge.outbox().rest().is_empty() {
            self.stdin = None;
        }
        if self.stdin.is_none() {
            self.bridge.outbox().clear();
        }
    }

    /// A deadline passed.
    fn climb(&mut self) {
        match self.ladder.climb(&self.grace) {
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
        // The leader is not reaped yet, so the number still names its group.
        if let Some(group) = self.group {
            end_group(group, signal);
        }
    }

    /// Ends what the process left behind, reads its last words, and tells its end.
    async fn bury(mut self, status: io::Result<ExitStatus>) {
        let (mark, group, grace) = (self.mark.clone(), self.group, self.grace.leftovers);
        match tokio::task::spawn_blocking(move || mark.end_all(group, grace)).await {
            Ok(0) => {}
            Ok(left) => tracing::error!(left, "processes of an agent cannot be killed"),
            Err(error) => tracing::error!(%error, "the search for what an agent left behind failed"),
        }
        let mut chunk = vec![0; CHUNK];
        while let Some(stdout) = &mut self.stdout {
            match timeout(LAST_WORDS, stdout.read(&mut chunk)).await {
                Ok(Ok(read @ 1..)) => {
                    self.take(&chunk[..read]);
                    self.deliver_all().await;
                }
                _ => self.stdout = None,
            }
        }
        if let Some(framed) = self.framer.finish() {
            hand_on(&mut self.bridge, framed);
        }
        self.bridge.handle_end();
        self.deliver_all().await;
        if timeout(LAST_WORDS, &mut self.stderr).await.is_err() {
            self.stderr.abort();
        }
        let message = obituary(status, &self.tail.text());
        tracing::debug!(message, "agent gone");
        // Whoever no longer listens does not want to know.
        let _ = self.events.send(AgentEvent::Exited { message }).await;
    }

    async fn deliver_all(&mut self) {
        while let Some(event) = self.bridge.events().pop_front() {
            if self.events.send(event).await.is_err() {
                self.bridge.events().clear();
            }
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

async fn until(at: Option<Instant>) {
    if let Some(at) = at {
        sleep_until(at).await;
    }
}
