//! One session's state machine.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use super::{
    AgentCommand, AgentEvent, Ask, AskKind, Decision, IdempotencyKey, Inbound, OutEvent, TurnEnd,
    cost::Cost,
    idempotency::{IdempotencyKeys, Seen},
    json::Object,
    messages::Messages,
    output::{Accepted, NoAnswer, Output, Refused},
    prompts::{Outcome, Prompts},
    turn::{Queued, Turns},
};

/// What a session needs to know from the start.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// The session's id.
    pub session_id: String,
    /// The model to start with, or the agent's default.
    pub model: Option<String>,
    /// The permission mode to start with, or the agent's default.
    pub permission_mode: Option<String>,
    /// A session without reader, turn or input for so long ends.
    pub idle_timeout: Duration,
    /// So many user messages may wait.
    pub queue_limit: usize,
    /// Makes the `message_uuid` of a user's message: a new v4 uuid at every call.
    pub new_uuid: fn() -> String,
}

/// Who watches a session, as its event log knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// So many readers are attached.
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
/// use agent_webkit::proto::{AgentCommand, Inbound, Output, Session, SessionConfig};
///
/// let mut session = Session::new(
///     SessionConfig {
///         session_id: "c1".into(),
///         model: None,
///         permission_mode: None,
///         idle_timeout: Duration::from_secs(300),
///         queue_limit: 128,
///         new_uuid: || "u1".into(),
///     },
///     Instant::now(),
/// );
/// let now = Instant::now();
/// session.handle_started(now);
/// session.handle_input(now, Inbound::parse(br#"{"type":"user_message","content":"hi"}"#)?, None)?;
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
    idle_at: Instant,
    closed: bool,
    noted: Option<&'static str>,
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
            noted: None,
        }
    }

    /// A client's message (PROTOCOL.md, Inbound messages). A repeat of `key` and body changes nothing.
    ///
    /// # Errors
    /// Why it was not taken; nothing changed.
    pub fn handle_input(
        &mut self,
        now: Instant,
        input: Inbound,
        key: Option<IdempotencyKey>,
    ) -> Result<Accepted, Refused> {
        if self.closed {
            return Err(Refused::Closed);
        }
        match key.as_ref().map(|key| self.keys.look_up(key)) {
            Some(Seen::SameBody) => return Ok(Accepted::Done),
            Some(Seen::OtherBody) => return Err(Refused::KeyReused),
            Some(Seen::Never) | None => {}
        }
        let accepted = self.take_input(input)?;
        self.touch(now);
        if let Some(key) = key {
            self.keys.remember(key);
        }
        Ok(accepted)
    }

    fn take_input(&mut self, input: Inbound) -> Result<Accepted, Refused> {
        match input {
            Inbound::UserMessage { content } => self.take_message(content)?,
            Inbound::Interrupt if self.turns.is_running() => self.tell(AgentCommand::Interrupt),
            Inbound::Interrupt => {}
            Inbound::PermissionResponse { correlation_id, decision } => {
                self.decide(&correlation_id, decision)?;
            }
            Inbound::QuestionResponse { correlation_id, answers } => {
                let ask = self.open_prompt(&correlation_id)?;
                if ask.kind != AskKind::Question {
                    return Err(Refused::NotAQuestion);
                }
                let updated_input = Some(answers.with_input(&ask.input));
                self.decide(&correlation_id, Decision::Allow { updated_input, updated_permissions: None })?;
            }
            Inbound::SetPermissionMode { mode } => {
                let request = self.request(Request::PermissionMode(mode.clone()));
                self.tell(AgentCommand::SetPermissionMode { request, mode });
                return Ok(Accepted::Asked(request));
            }
            Inbound::SetModel { model } => {
                let request = self.request(Request::Model(model.clone()));
                self.tell(AgentCommand::SetModel { request, model });
                return Ok(Accepted::Asked(request));
            }
            Inbound::StopTask { task_id } => {
                let request = self.request(Request::StopTask);
                self.tell(AgentCommand::StopTask { request, task_id });
                return Ok(Accepted::Asked(request));
            }
        }
        Ok(Accepted::Done)
    }

    /// The agent that [`Output::Start`] asked for is there.
    pub fn handle_started(&mut self, _now: Instant) {
        if let Agent::Starting(commands) = &mut self.agent {
            self.outputs.extend(commands.drain(..).map(Output::Command));
            self.agent = Agent::Up;
        }
    }

    /// The agent that [`Output::Start`] asked for could not be started; `message` says why.
    pub fn handle_start_failed(&mut self, now: Instant, message: &str) {
        self.lose_agent(now, "agent_start_failed", message);
    }

    /// Something the agent said.
    pub fn handle_agent(&mut self, now: Instant, event: AgentEvent) {
        if self.closed {
            return;
        }
        match event {
            AgentEvent::Message(message) => {
                let events = self.messages.add(now, message);
                self.emit_all(events);
            }
            AgentEvent::MessageStopped { message_id, stop_reason } => {
                let events = self.messages.stopped(&message_id, stop_reason.as_deref());
                self.emit_all(events);
            }
            other => {
                self.release_messages();
                self.handle_other(now, other);
            }
        }
    }

    fn handle_other(&mut self, now: Instant, event: AgentEvent) {
        match event {
            AgentEvent::Delta { message_id, parent_tool_use_id, delta } => {
                self.emit(OutEvent::message_delta(&message_id, parent_tool_use_id.as_deref(), &delta));
            }
            AgentEvent::TurnStarted { permission_mode } => {
                self.turns.began();
                if permission_mode.is_some() {
                    self.config.permission_mode = permission_mode;
                }
            }
            AgentEvent::ToolResult { tool_use_id, parent_tool_use_id, output, is_error } => {
                self.emit(OutEvent::tool_result(
                    &tool_use_id,
                    parent_tool_use_id.as_deref(),
                    &output,
                    is_error,
                ));
            }
            AgentEvent::Ask(ask) => self.ask(ask),
            AgentEvent::Withdrawn { correlation_id } => self.settle(&correlation_id, Outcome::Cancelled),
            AgentEvent::TurnEnded(end) => self.end_turn(now, &end),
            AgentEvent::McpStatus { server_name, status } => {
                if self.mcp.get(&server_name) != Some(&status) {
                    self.emit(OutEvent::mcp_status_change(&server_name, &status));
                    self.mcp.insert(server_name, status);
                }
            }
            AgentEvent::Task { task_id, status, extra } => {
                let status = status.as_deref().unwrap_or("running");
                self.emit(OutEvent::task_update(&task_id, status, &extra));
                if matches!(status, "completed" | "failed" | "stopped" | "killed") {
                    self.running_tasks.remove(&task_id);
                    self.touch(now);
                } else {
                    self.running_tasks.insert(task_id);
                }
            }
            AgentEvent::Status { status, extra } => self.emit(OutEvent::status(&status, &extra)),
            AgentEvent::Answer { request, outcome } => {
                self.answer(request, outcome.map_err(NoAnswer::Refused));
            }
            AgentEvent::Error { code, message } => self.emit(OutEvent::error(&code, &message)),
            AgentEvent::Exited { message } => self.lose_agent(now, "agent_exited", &message),
            AgentEvent::Ready | AgentEvent::Message(_) | AgentEvent::MessageStopped { .. } => {}
        }
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

    /// When [`Session::handle_timeout`] wants to be called. Ask again after every other call.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let idle_at = if self.is_busy() { None } else { Some(self.idle_at) };
        [self.messages.held_until(), self.turns.settles_at(), idle_at]
            .into_iter()
            .flatten()
            .min()
            .filter(|_| !self.closed)
    }

    /// A timer is due.
    pub fn handle_timeout(&mut self, now: Instant, presence: Presence) {
        if self.closed {
            return;
        }
        if self.messages.held_until().is_some_and(|until| until <= now) {
            self.release_messages();
        }
        self.turns.settle(now);
        self.send_next();
        if self.is_busy() || now < self.idle_at {
            return;
        }
        let watched_until = if presence.readers > 0 { Some(now) } else { presence.last_detached };
        match watched_until.map(|at| at + self.config.idle_timeout).filter(|at| *at > now) {
            Some(later) => self.idle_at = later,
            None => self.close(),
        }
    }

    /// What to do next, in this order. Call until it gives `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The members `"status":…,"pending":[…]` of `session_state`, when they changed since the last call.
    pub fn take_note(&mut self) -> Option<String> {
        let status = self.status();
        let prompts_changed = self.prompts.take_changed();
        if self.noted.replace(status) == Some(status) && !prompts_changed {
            return None;
        }
        let note = Object::new().string("status", status).json("pending", &self.prompts.to_json()).finish();
        let note = String::from_utf8(note).expect("made of strings");
        Some(note[1..note.len() - 1].to_owned())
    }

    /// What the session does, in the agent's own terms.
    fn status(&self) -> &'static str {
        match () {
            () if self.closed => "closed",
            () if !self.prompts.is_empty() => "requires_action",
            () if self.turns.is_running() => "running",
            () => "idle",
        }
    }

    fn is_busy(&self) -> bool {
        self.turns.is_running() || !self.prompts.is_empty() || !self.running_tasks.is_empty()
    }

    fn touch(&mut self, now: Instant) {
        self.idle_at = now + self.config.idle_timeout;
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

    fn request(&mut self, request: Request) -> u64 {
        let id = self.next_request;
        self.next_request += 1;
        self.requests.insert(id, request);
        id
    }

    fn answer(&mut self, id: u64, outcome: Result<(), NoAnswer>) {
        let Some(request) = self.requests.remove(&id) else { return };
        if outcome.is_ok() {
            match request {
                Request::PermissionMode(mode) => self.config.permission_mode = Some(mode),
                Request::Model(model) => self.config.model = model,
                Request::StopTask => {}
            }
        }
        self.outputs.push_back(Output::Answer { request: id, outcome });
    }

    fn take_message(&mut self, content: Box<serde_json::value::RawValue>) -> Result<(), Refused> {
        if self.turns.queued() >= self.config.queue_limit {
            return Err(Refused::Backpressure);
        }
        let message_uuid = (self.config.new_uuid)();
        self.emit(OutEvent::user_message(&content, &message_uuid));
        self.turns.push(Queued { content, message_uuid });
        self.send_next();
        Ok(())
    }

    fn send_next(&mut self) {
        if let Some(Queued { content, message_uuid }) = self.turns.next() {
            self.tell(AgentCommand::User { content, message_uuid });
        }
    }

    fn ask(&mut self, ask: Ask) {
        self.settle(&ask.correlation_id, Outcome::Cancelled);
        let event = self.prompts.ask(ask);
        self.emit(event);
    }

    fn open_prompt(&self, correlation_id: &str) -> Result<&Ask, Refused> {
        self.prompts.get(correlation_id).ok_or(Refused::Settled)
    }

    fn decide(&mut self, correlation_id: &str, decision: Decision) -> Result<(), Refused> {
        self.open_prompt(correlation_id)?;
        let behavior = Some(if matches!(decision, Decision::Deny { .. }) { "deny" } else { "allow" });
        self.settle(correlation_id, Outcome::Answered { behavior });
        self.tell(AgentCommand::Decide { correlation_id: correlation_id.to_owned(), decision });
        Ok(())
    }

    fn settle(&mut self, correlation_id: &str, outcome: Outcome<'_>) {
        if let Some(event) = self.prompts.settle(correlation_id, outcome) {
            self.emit(event);
        }
    }

    fn end_turn(&mut self, now: Instant, end: &TurnEnd) {
        let turn_cost = self.cost.turn(end);
        let result = OutEvent::result(
            &self.config.session_id,
            &end.subtype,
            turn_cost,
            self.cost.session(),
            &end.extra,
        );
        self.emit(result);
        if self.running_tasks.is_empty() {
            self.messages.clear();
        }
        self.touch(now);
        self.turns.ended(now, end.unprompted);
        self.send_next();
    }

    /// The agent is gone: whatever waited for it ends here, and the next message starts another one.
    fn lose_agent(&mut self, now: Instant, code: &str, message: &str) {
        if self.closed {
            return;
        }
        self.agent = Agent::Down;
        let settled = self.prompts.settle_all(Outcome::Cancelled);
        self.emit_all(settled);
        for task_id in std::mem::take(&mut self.running_tasks) {
            self.emit(OutEvent::task_update(&task_id, "killed", &Vec::new()));
        }
        self.emit(OutEvent::error(code, message));
        if self.turns.abort() {
            self.emit(OutEvent::aborted_result(&self.config.session_id, code, self.cost.session()));
        }
        for request in std::mem::take(&mut self.requests).into_keys() {
            self.outputs.push_back(Output::Answer { request, outcome: Err(NoAnswer::AgentGone) });
        }
        self.messages.clear();
        self.cost.new_process();
        self.touch(now);
        self.send_next();
    }
}
