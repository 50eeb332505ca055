//! One session's state machine.

mod agent;
mod input;
mod memo;
mod past;
mod time;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use self::memo::Memo;
use super::{
    AgentCommand, NoAnswer, OutEvent, Output,
    cost::Cost,
    idempotency::IdempotencyKeys,
    json::Object,
    messages::Messages,
    prompts::{Outcome, Prompts},
    turn::{Queued, Turns},
};

pub use self::past::{Past, state_of};

/// What a session needs to know from the start.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// The session's id.
    pub session_id: String,
    /// The model to start with, or the agent's default.
    pub model: Option<String>,
    /// The permission mode to start with, or the agent's default.
    pub permission_mode: Option<String>,
    /// A session without reader, turn or input for so long is idle.
    pub idle_timeout: Duration,
    /// What becomes of it then.
    pub when_idle: WhenIdle,
    /// A session that has been at rest for so long lets its agent go; the next message starts another.
    pub hibernate_after: Option<Duration>,
    /// Maximum number of queued user messages.
    pub queue_limit: usize,
}

/// What becomes of a session that nobody uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenIdle {
    /// It ends.
    #[default]
    Close,
    /// It can be restored from its log, so it need not stay in memory: [`Output::Release`].
    Release,
}

/// The readers of a session, as its event log reports them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// Number of attached readers.
    pub readers: usize,
    /// When the newest of those that left did so.
    pub last_detached: Option<Instant>,
}

/// One session, without I/O: inputs, the agent's events and the time go in, [`Output`]s come out.
///
/// After every `handle_…` call and [`Session::close`], call [`Session::poll_output`] until it gives
/// `None`, then [`Session::take_note`] and [`Session::poll_timeout`].
///
/// ```
/// use std::time::{Duration, Instant};
/// use agent_webkit::proto::{AgentCommand, Inbound, Output, Session, SessionConfig, WhenIdle};
///
/// let mut session = Session::new(
///     SessionConfig {
///         session_id: "c1".into(),
///         model: None,
///         permission_mode: None,
///         idle_timeout: Duration::from_secs(300),
///         when_idle: WhenIdle::Close,
///         hibernate_after: None,
///         queue_limit: 128,
///     },
///     Instant::now(),
/// );
/// let now = Instant::now();
/// session.handle_started(now);
/// let hi = Inbound::parse(br#"{"type":"user_message","content":"hi"}"#)?;
/// session.handle_input(now, hi, None, "u1".into())?;
///
/// let Some(Output::Event(ready)) = session.poll_output() else { panic!() };
/// assert_eq!(ready.name, "session_ready");
/// let Some(Output::Event(message)) = session.poll_output() else { panic!() };
/// assert_eq!(message.data, br#"{"content":"hi","message_uuid":"u1"}"#);
/// assert!(matches!(session.poll_output(), Some(Output::Command(AgentCommand::User { .. }))));
/// assert!(session.poll_output().is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
    outputs: VecDeque<Output>,
    agent: Agent,
    turns: Turns,
    prompts: Prompts,
    messages: Messages,
    cost: Cost,
    mcp: BTreeMap<String, String>,
    running_tasks: BTreeSet<String>,
    keys: IdempotencyKeys,
    requests: BTreeMap<u64, Request>,
    next_request: u64,
    active_at: Instant,
    idle_at: Instant,
    closed: bool,
    suspended: bool,
    noted: Option<(&'static str, f64)>,
    memo: Memo,
}

#[derive(Debug)]
enum Agent {
    /// Commands are kept until it is there.
    Starting(Vec<AgentCommand>),
    Up,
    Down,
}

/// An input that waits for the agent's answer, and what it changes when the agent agrees.
#[derive(Debug)]
enum Request {
    PermissionMode(String),
    Model(Option<String>),
    StopTask,
}

impl Session {
    /// A new session whose agent is being started: as if [`Output::Start`] had been given already. Its
    /// first output is `session_ready`.
    #[must_use]
    pub fn new(config: SessionConfig, now: Instant) -> Self {
        let ready = Output::Event(OutEvent::session_ready(&config.session_id));
        Self {
            active_at: now,
            idle_at: now + config.idle_timeout,
            config,
            outputs: VecDeque::from([ready]),
            agent: Agent::Starting(Vec::new()),
            turns: Turns::default(),
            prompts: Prompts::default(),
            messages: Messages::default(),
            cost: Cost::default(),
            mcp: BTreeMap::new(),
            running_tasks: BTreeSet::new(),
            keys: IdempotencyKeys::default(),
            requests: BTreeMap::new(),
            next_request: 1,
            closed: false,
            suspended: false,
            noted: None,
            memo: Memo::default(),
        }
    }

    /// A session that has no agent yet: the first message starts one, which may find an earlier
    /// conversation. Its first output is `session_ready`.
    #[must_use]
    pub fn dormant(config: SessionConfig, now: Instant) -> Self {
        Self { agent: Agent::Down, ..Self::new(config, now) }
    }

    /// Ends the session: open prompts settle as `session_closed`, `done` is the last event.
    pub fn close(&mut self) {
        if self.closed {
            return;
        }
        self.release_messages();
        let settled = self.prompts.settle_all(Outcome::SessionClosed);
        self.emit_all(settled);
        for request in std::mem::take(&mut self.requests).into_keys() {
            self.outputs.push_back(Output::Answer { request, outcome: Err(NoAnswer::SessionClosed) });
        }
        self.emit(OutEvent::done());
        self.closed = true;
        if !matches!(std::mem::replace(&mut self.agent, Agent::Down), Agent::Down) {
            self.outputs.push_back(Output::Stop);
        }
        self.outputs.push_back(Output::Closed);
    }

    /// What to do next, in this order. Call until it gives `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front();
        if output.is_none() {
            // A session is idle most of the time, and then it keeps no room for what it does.
            self.outputs = VecDeque::new();
        }
        output
    }

    /// What the session is, when it changed since the last call. The first line holds the members
    /// `"status":…,"pending":[…],"session_cost_usd":…` of `session_state`. A second one, of sessions that
    /// can be restored, holds what only [`Past::from_note`] needs.
    pub fn take_note(&mut self) -> Option<String> {
        let told = (self.status(), self.cost.session());
        let prompts_changed = self.prompts.take_changed();
        let memo_changed = self.config.when_idle == WhenIdle::Release
            && self.memo.changed(&self.turns, &self.keys, &self.running_tasks, &self.mcp);
        if self.noted.replace(told) == Some(told) && !prompts_changed && !memo_changed {
            return None;
        }
        let note = Object::new()
            .string("status", told.0)
            .json("pending", &self.prompts.to_json())
            .number("session_cost_usd", told.1)
            .finish();
        let mut note = String::from_utf8(note).expect("made of strings");
        note.pop();
        note.remove(0);
        if self.config.when_idle == WhenIdle::Release {
            note.push('\n');
            note.push_str(&Memo::write(&self.turns, &self.keys, &self.running_tasks, &self.mcp));
        }
        Some(note)
    }

    /// The model that the session runs with, if one was chosen.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.config.model.as_deref()
    }

    /// The permission mode that the session runs in, as far as it is known.
    #[must_use]
    pub fn permission_mode(&self) -> Option<&str> {
        self.config.permission_mode.as_deref()
    }

    /// What the session does, in the agent's own terms.
    #[must_use]
    pub fn status(&self) -> &'static str {
        match () {
            () if self.closed && !self.suspended => "closed",
            () if !self.prompts.is_empty() => "requires_action",
            () if self.turns.is_running() => "running",
            () => "idle",
        }
    }

    /// A turn runs.
    #[must_use]
    pub fn is_in_turn(&self) -> bool {
        self.turns.is_running()
    }

    /// Number of user messages that wait for their turn.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.turns.queued()
    }

    fn emit(&mut self, event: OutEvent) {
        self.outputs.push_back(Output::Event(event));
    }

    fn emit_all(&mut self, events: Vec<OutEvent>) {
        self.outputs.extend(events.into_iter().map(Output::Event));
    }

    fn release_messages(&mut self) {
        let events = self.messages.release();
        self.emit_all(events);
    }

    /// Tells the agent, and starts one if there is none.
    fn tell(&mut self, command: AgentCommand) {
        match &mut self.agent {
            Agent::Up => self.outputs.push_back(Output::Command(command)),
            Agent::Starting(commands) => commands.push(command),
            Agent::Down => {
                self.agent = Agent::Starting(vec![command]);
                self.outputs.push_back(Output::Start {
                    model: self.config.model.clone(),
                    permission_mode: self.config.permission_mode.clone(),
                });
            }
        }
    }

    fn send_next(&mut self) {
        if let Some(Queued { content, message_uuid }) = self.turns.next() {
            self.tell(AgentCommand::User { content, message_uuid });
        }
    }

    fn settle(&mut self, correlation_id: &str, outcome: Outcome<'_>) {
        if let Some(event) = self.prompts.settle(correlation_id, outcome) {
            self.emit(event);
        }
    }
}
