//! The state machine of one session.

mod agent;
mod cancelling;
mod input;
mod looking;
mod noted;
mod presence;
mod restore;
mod spending;
mod time;
mod waking;
mod withdraw;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use serde_json::value::RawValue;

use self::{looking::Known, noted::Noted, spending::Spending, waking::Clock};
pub use self::{looking::Looked, presence::Presence};
use super::{
    AgentCommand, Look, NoAnswer, OutEvent, Output, Status,
    cost::Cost,
    idempotency::IdempotencyKeys,
    message_ids::MessageIds,
    messages::Messages,
    prompts::{Outcome, Prompts},
    turn::{Queued, Turns},
    wakeups::Wakeups,
};

/// The mode in which the agent plans and changes nothing.
const PLAN: &str = "plan";

/// The configuration of a session.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// The session's id.
    pub session_id: String,
    /// The model to start with; `None` for the agent's default.
    pub model: Option<String>,
    /// The permission mode to start with; `None` for the agent's default.
    pub permission_mode: Option<String>,
    /// Time without a reader, a turn, a prompt, a background task or an input after which the session is
    /// idle.
    pub idle_timeout: Duration,
    /// What happens to an idle session.
    pub when_idle: WhenIdle,
    /// Time without a turn, a prompt, a background task or an input after which the agent is stopped. The
    /// next message starts another agent.
    pub hibernate_after: Option<Duration>,
    /// Maximum number of queued user messages.
    pub queue_limit: usize,
    /// What the session may cost, in US dollars.
    pub budget_usd: Option<f64>,
}

/// What happens to an idle session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenIdle {
    /// It ends.
    #[default]
    Close,
    /// It may leave memory, because it can be restored from its event log: [`Output::Release`].
    Release,
}

/// The state machine of one session, without I/O: inputs, agent events and the time go in, [`Output`]s come
/// out.
///
/// After every `handle_…` call, [`Session::close`] and [`Session::suspend`], call [`Session::poll_output`]
/// until it returns `None`, then [`Session::take_note`] and [`Session::poll_timeout`].
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
///         budget_usd: None,
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
    spending: Spending,
    mcp: BTreeMap<String, String>,
    running_tasks: BTreeSet<String>,
    keys: IdempotencyKeys,
    message_ids: MessageIds,
    /// Permission updates that were granted for the session's whole life, which its agents forget when they end.
    permissions: Vec<Box<RawValue>>,
    /// The mode that the end of plan mode returns to, if it is known.
    mode_before_plan: Option<String>,
    /// The effort that was chosen in the session.
    effort: Option<String>,
    wakeups: Wakeups,
    known: Known,
    clock: Option<Clock>,
    requests: BTreeMap<u64, Request>,
    next_request: u64,
    active_at: Instant,
    idle_at: Instant,
    closed: bool,
    suspended: bool,
    /// Whether the agent was told that nobody reads. A new one takes it that somebody does.
    told_unwatched: bool,
    noted: Noted,
}

#[derive(Debug)]
enum Agent {
    /// The commands wait here until the agent has started.
    Starting(Vec<AgentCommand>),
    Up,
    Down,
}

/// An input that waits for the agent's answer, and what it changes if the agent agrees.
#[derive(Debug)]
enum Request {
    PermissionMode(String),
    Model(Option<String>),
    StopTask,
    Look(Look),
    CancelMessage(String),
    Rewind { message_uuid: String, dry_run: bool },
}

impl Session {
    /// Creates a session whose agent is being started, as if [`Output::Start`] had been returned already. Its
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
            spending: Spending::default(),
            mcp: BTreeMap::new(),
            running_tasks: BTreeSet::new(),
            keys: IdempotencyKeys::default(),
            message_ids: MessageIds::default(),
            permissions: Vec::new(),
            mode_before_plan: None,
            effort: None,
            wakeups: Wakeups::default(),
            known: Known::default(),
            clock: None,
            requests: BTreeMap::new(),
            next_request: 1,
            closed: false,
            suspended: false,
            told_unwatched: false,
            noted: Noted::default(),
        }
    }

    /// Creates a session without an agent. The first message starts one, which may resume an earlier
    /// conversation. Its first output is `session_ready`.
    #[must_use]
    pub fn dormant(config: SessionConfig, now: Instant) -> Self {
        Self { agent: Agent::Down, ..Self::new(config, now) }
    }

    /// Ends the session: open prompts settle as `session_closed`, and `done` is the last event.
    pub fn close(&mut self) {
        if self.closed {
            return;
        }
        self.clear_messages();
        self.settle_all(Outcome::SessionClosed);
        self.refuse_requests(&NoAnswer::SessionClosed);
        self.emit(OutEvent::done());
        self.closed = true;
        self.release_agent();
        self.outputs.push_back(Output::Closed);
    }

    /// Returns the next action for the driver. Call it until it returns `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front();
        if output.is_none() {
            // Frees the buffer, because a session is idle most of the time.
            self.outputs = VecDeque::new();
        }
        output
    }

    /// The model, if one was chosen.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.config.model.as_deref()
    }

    /// The permission mode, if it is known.
    #[must_use]
    pub fn permission_mode(&self) -> Option<&str> {
        self.config.permission_mode.as_deref()
    }

    /// The session's status.
    #[must_use]
    pub fn status(&self) -> Status {
        match () {
            // A suspended session continues elsewhere, so it is not closed for clients.
            () if self.closed && !self.suspended => Status::Closed,
            () if !self.prompts.is_empty() => Status::RequiresAction,
            () if self.turns.is_running() => Status::Running,
            () => Status::Idle,
        }
    }

    /// Whether a turn runs.
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

    fn clear_messages(&mut self) {
        self.release_messages();
        let given_up = self.messages.clear();
        self.emit_all(given_up);
    }

    /// Sends a command to the agent, and starts an agent if there is none.
    fn tell(&mut self, command: AgentCommand) {
        match &mut self.agent {
            Agent::Up => self.outputs.push_back(Output::Command(command)),
            Agent::Starting(commands) => commands.push(command),
            Agent::Down => {
                let mut open_prompts = self.prompts.resumable();
                if let AgentCommand::Decide { correlation_id, .. } = &command {
                    open_prompts.push(correlation_id.clone());
                }
                self.start_agent(vec![command], open_prompts);
            }
        }
    }

    fn start_agent(&mut self, commands: Vec<AgentCommand>, open_prompts: Vec<String>) {
        self.agent = Agent::Starting(commands);
        self.told_unwatched = false;
        self.wakeups.process_starts(self.last_unix_ms());
        self.outputs.push_back(Output::Start {
            model: self.config.model.clone(),
            permission_mode: self.config.permission_mode.clone(),
            mode_before_plan: self.mode_before_plan.clone(),
            effort: self.effort.clone(),
            permissions: self.permissions.clone(),
            open_prompts,
            wakeups: self.wakeups.all().cloned().collect(),
        });
    }

    fn set_permission_mode(&mut self, mode: String) {
        match self.config.permission_mode.take() {
            Some(before) if mode == PLAN && before != PLAN => self.mode_before_plan = Some(before),
            _ if mode == PLAN => {}
            _ => self.mode_before_plan = None,
        }
        self.config.permission_mode = Some(mode);
    }

    fn send_next(&mut self) {
        if self.is_rewinding() {
            return;
        }
        if let Some(Queued { content, message_uuid, verbatim }) = self.turns.next() {
            self.tell(AgentCommand::User { content, message_uuid, verbatim });
        }
    }

    /// Ends the running turn with what is known of its cost.
    fn aborted_result(&mut self, reason: &str) {
        let turn_cost = self.cost.abort();
        let (id, session_cost) = (&self.config.session_id, self.cost.session());
        let result = OutEvent::aborted_result(id, reason, turn_cost, session_cost);
        self.emit(result);
    }

    fn settle_all(&mut self, outcome: Outcome<'_>) {
        let settled = self.prompts.settle_all(outcome);
        self.emit_all(settled);
    }

    fn kill_tasks(&mut self) {
        for task_id in std::mem::take(&mut self.running_tasks) {
            self.emit(OutEvent::task_update(&task_id, "killed", &Vec::new()));
        }
    }

    /// Answers every input that waits for the agent with an error.
    fn refuse_requests(&mut self, why: &NoAnswer) {
        for (id, request) in std::mem::take(&mut self.requests) {
            self.refuse_request(id, &request, why.clone());
        }
    }

    fn refuse_request(&mut self, id: u64, request: &Request, why: NoAnswer) {
        self.outputs.push_back(match request {
            Request::Look(_) => Output::Looked { request: id, outcome: Err(why) },
            Request::CancelMessage(_) => {
                Output::Answer { request: id, outcome: Err(cancelling::not_cancelled(why)) }
            }
            _ => Output::Answer { request: id, outcome: Err(why) },
        });
    }

    /// Stops the agent, if there is one. The next agent counts its cost from zero.
    fn release_agent(&mut self) {
        if !matches!(std::mem::replace(&mut self.agent, Agent::Down), Agent::Down) {
            self.outputs.push_back(Output::Stop);
            self.cost.new_process();
            self.wakeups.process_ended();
        }
    }

    fn settle(&mut self, correlation_id: &str, outcome: Outcome<'_>) {
        if let Some(event) = self.prompts.settle(correlation_id, outcome) {
            self.emit(event);
        }
    }
}
