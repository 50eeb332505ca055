//! The conversation with one CLI process, without I/O: takes lines and commands, produces events and bytes.

mod costs;
mod in_process;
mod looks;
mod rewind;

use std::{
    collections::{HashMap, VecDeque},
    mem,
    sync::Arc,
};

use serde_json::value::RawValue;

pub(crate) use self::in_process::{GUARD, HOOK, InProcessCall};
use self::{looks::Commands, rewind::Step};

use super::{
    ask_again::AskAgain,
    asks::Asks,
    decode::{self, Mirrored, Tasks},
    encode::{FlagSettings, Request, RequestFrame, ResponseFrame, UserFrame},
    mcp::McpMessages,
    outbox::Outbox,
    permissions::Permissions,
    stream::Streams,
    transcribed::Transcribed,
    wakeups::Wakeups,
    wire::{DELTA, DeltaFrame, Frame, Members, Text},
};
use crate::{
    claude::options::Handshake,
    proto::{AgentCommand, AgentEvent, Decision, Effort, Look, Wakeup},
    unix_ms,
};

/// The permission mode in which the CLI plans.
pub(crate) const PLAN: &str = "plan";

/// Our side of the control protocol with one process.
#[derive(Debug)]
pub(crate) struct Bridge {
    streams: Streams,
    tasks: Tasks,
    asks: Asks,
    again: AskAgain,
    transcribed: Transcribed,
    wakeups: Wakeups,
    /// Our requests that the CLI has not answered, by request id.
    asked: HashMap<u64, Asked>,
    last_request: u64,
    /// User messages whose turn has not ended.
    messages: Vec<Message>,
    in_turn: bool,
    stage: Stage,
    mcp_pending: bool,
    /// The argument of the user's `/effort`, until its turn ends.
    effort_typed: Option<String>,
    commands: Commands,
    /// Whether to report costs before the end of a turn.
    reports_cost: bool,
    /// Whether the CLI joins pieces while nobody reads, and so has to know.
    joins: bool,
    mcp_messages: McpMessages,
    /// The names of the MCP servers in this process.
    mcp_servers: Vec<Arc<str>>,
    /// Whether policies in this process are asked before clients.
    has_policies: bool,
    /// The calls of hooks in this process that are not answered, by request id.
    hook_calls: HashMap<String, Box<RawValue>>,
    calls: Vec<InProcessCall>,
    events: VecDeque<AgentEvent>,
    mirrored: Vec<Mirrored>,
    outbox: Outbox,
}

/// The stage of the start-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The CLI has not answered `initialize`.
    Starting,
    Ready,
    /// The CLI refused `initialize`; the process has to be ended.
    Failed,
}

#[derive(Clone, Debug)]
enum Asked {
    Initialize,
    Interrupt,
    McpStatus,
    McpMessage,
    ContextUsage,
    /// The settings after a command that the user typed. `effort`: its argument, if it was `/effort`.
    Settings {
        effort: Option<String>,
    },
    FlagSettings,
    PlanMode,
    Cost,
    Watched,
    /// A command of the session with this number.
    Command(u64),
    Look {
        request: u64,
        look: Look,
    },
    Step {
        request: u64,
        step: Step,
    },
}

#[derive(Debug)]
struct Message {
    uuid: String,
    started: bool,
    /// An interrupt missed this message because it was still in the CLI's queue.
    interrupt: bool,
}

impl Bridge {
    /// Creates a bridge whose first frame is the handshake, before the permissions of the session's earlier
    /// agents.
    pub(crate) fn new(
        hooks: Option<&RawValue>,
        options: &Handshake,
        permissions: &Permissions,
        again: AskAgain,
    ) -> Self {
        let mut bridge = Self {
            streams: Streams::default(),
            tasks: Tasks::default(),
            asks: Asks::default(),
            again,
            transcribed: Transcribed::default(),
            wakeups: Wakeups::default(),
            asked: HashMap::new(),
            last_request: 0,
            messages: Vec::new(),
            in_turn: false,
            stage: Stage::Starting,
            mcp_pending: false,
            effort_typed: None,
            commands: Commands::default(),
            reports_cost: false,
            joins: false,
            mcp_messages: McpMessages::default(),
            mcp_servers: Vec::new(),
            has_policies: false,
            hook_calls: HashMap::new(),
            calls: Vec::new(),
            events: VecDeque::new(),
            mirrored: Vec::new(),
            outbox: Outbox::default(),
        };
        let hooks = bridge.again.hooks(hooks);
        bridge.ask(Asked::Initialize, Request::Initialize { hooks: hooks.as_deref(), options });
        if !permissions.is_empty() {
            let settings = FlagSettings { permissions };
            bridge.ask(Asked::FlagSettings, Request::ApplyFlagSettings { settings });
        }
        bridge
    }

    /// For a CLI that joins pieces while nobody reads.
    pub(crate) fn with_joining(mut self) -> Self {
        self.joins = true;
        self
    }

    /// Adds the wake-ups that the session's earlier agents scheduled.
    pub(crate) fn with_wakeups(mut self, wakeups: Vec<Wakeup>) -> Self {
        self.wakeups = Wakeups::of(wakeups);
        self
    }

    /// Sets what this process answers: these MCP servers, and whether there are policies.
    pub(crate) fn with_in_process(mut self, mcp_servers: Vec<Arc<str>>, has_policies: bool) -> Self {
        (self.mcp_servers, self.has_policies) = (mcp_servers, has_policies);
        self
    }

    /// Makes the CLI plan. It started in the mode that an approved plan returns to, because it remembers no other.
    pub(crate) fn with_plan_mode(mut self) -> Self {
        self.ask(Asked::PlanMode, Request::SetPermissionMode { mode: PLAN });
        self
    }

    /// Handles a line from the CLI.
    pub(crate) fn handle_line(&mut self, line: &[u8]) {
        if let Some(delta) = parse_delta(line) {
            self.events.extend(self.streams.handle_delta(delta));
            return;
        }
        let Some((text, frame)) = parse(line) else {
            tracing::warn!(bytes = line.len(), "the agent wrote a line that is not a frame");
            return;
        };
        if frame.kind.0 == "stream_event" {
            self.events.extend(self.streams.handle(&frame));
            self.ask_cost_after(&frame);
            return;
        }
        let members: Members<'_> = serde_json::from_str(text).unwrap_or_default();
        match &*frame.kind.0 {
            "assistant" => {
                self.transcribed.said(&members);
                self.wakeups.called(&members);
                let command = Members::of(members.get("local_command_run"));
                if command.text("command").is_some_and(|name| name == "effort") {
                    self.effort_typed = Some(command.text("args").unwrap_or_default().into());
                }
                let parent = members.text("parent_tool_use_id");
                let open = self.streams.message_id(parent.as_deref());
                self.events.extend(decode::assistant(&members, open));
            }
            "user" => {
                self.events.extend(self.wakeups.results(&members));
                self.events.extend(decode::tool_results(&members));
            }
            "result" => self.result(&members),
            "system" => self.system(&members),
            "control_request" => self.asked_by_cli(&members),
            "control_cancel_request" => {
                let id = members.text("request_id").unwrap_or_default();
                self.hook_calls.remove(&*id);
                let withdrawn = self.asks.withdraw(&id);
                self.events.extend(withdrawn.map(|correlation_id| AgentEvent::Withdrawn { correlation_id }));
            }
            "control_response" => self.answered(&Members::of(members.get("response"))),
            "command_lifecycle" => self.lifecycle(&members),
            "transcript_mirror" => {
                let mirrored = decode::mirrored(&members);
                let entries = mirrored.iter().flat_map(|mirrored| &mirrored.entries);
                entries.for_each(|entry| self.transcribed.wrote(entry));
                self.mirrored.extend(mirrored);
            }
            kind => tracing::trace!(kind, "ignored a frame of an unknown type"),
        }
    }

    /// Reports a line that exceeded the limit and was skipped.
    pub(crate) fn handle_oversize(&mut self, length: usize) {
        self.events.push_back(AgentEvent::Error {
            code: "oversize_line".to_owned(),
            message: format!(
                "The agent wrote a line of {length} bytes, which exceeds the limit; the line is lost."
            ),
        });
    }

    /// Handles a command of the session.
    pub(crate) fn handle_command(&mut self, command: AgentCommand) {
        match command {
            AgentCommand::User { content, message_uuid: uuid, verbatim } => {
                self.outbox.push(&UserFrame::new(&uuid, &content, verbatim));
                self.transcribed.sent(&uuid);
                self.messages.push(Message { uuid, started: false, interrupt: false });
            }
            AgentCommand::Interrupt => self.interrupt(),
            AgentCommand::Decide { correlation_id, decision } => self.decide(&correlation_id, &decision),
            AgentCommand::SetPermissionMode { request, mode } => {
                self.ask(Asked::Command(request), Request::SetPermissionMode { mode: &mode });
            }
            AgentCommand::SetModel { request, model } => {
                self.ask(Asked::Command(request), Request::SetModel { model: model.as_deref() });
            }
            AgentCommand::StopTask { request, task_id } => {
                self.ask(Asked::Command(request), Request::StopTask { task_id: &task_id });
            }
            AgentCommand::CancelMessage { request, message_uuid } => {
                self.cancel_message(request, message_uuid);
            }
            AgentCommand::Rewind { request, message_uuid, dry_run } => {
                self.rewind(request, message_uuid, dry_run);
            }
            AgentCommand::Look { request, look } => self.look(request, look),
            AgentCommand::Watched { watched } if self.joins => {
                self.ask(Asked::Watched, Request::SetHasSubscribers { has_subscribers: watched });
            }
            AgentCommand::Watched { .. } => {}
            // The supervisor handles them.
            AgentCommand::SetOwner { .. } | AgentCommand::Abort => {}
        }
    }

    /// Interrupts the running turn.
    pub(crate) fn interrupt(&mut self) {
        self.ask(Asked::Interrupt, Request::Interrupt);
    }

    /// Requests the statuses of the MCP servers.
    pub(crate) fn ask_mcp_status(&mut self) {
        self.ask(Asked::McpStatus, Request::McpStatus);
    }

    /// Answers all open commands with an error, because the process has exited.
    pub(crate) fn handle_end(&mut self) {
        for (_, asked) in mem::take(&mut self.asked) {
            if let Asked::Command(request) | Asked::Look { request, .. } | Asked::Step { request, .. } = asked
            {
                let outcome = Err("the agent ended before it answered".to_owned());
                self.events.push_back(AgentEvent::Answer { request, outcome });
            }
        }
        self.refuse_looks();
    }

    /// Returns the stage of the start-up.
    pub(crate) const fn stage(&self) -> Stage {
        self.stage
    }

    /// Whether a prompt is open that another process of the session can ask again.
    pub(crate) fn can_be_suspended(&self) -> bool {
        self.asks.any_resumable()
    }

    /// What the transcript has.
    pub(crate) const fn transcribed(&mut self) -> &mut Transcribed {
        &mut self.transcribed
    }

    /// Ends the prompts that the CLI should have asked again by now, and their turn.
    pub(crate) fn give_up_asking(&mut self) {
        self.events.extend(self.again.give_up());
    }

    /// Whether prompts are left that the CLI has not asked again yet.
    pub(crate) fn asks_again(&self) -> bool {
        self.again.is_waiting()
    }

    /// Whether a turn runs or a user message waits for one.
    pub(crate) const fn in_turn(&self) -> bool {
        self.in_turn || !self.messages.is_empty()
    }

    /// Whether an MCP server is still connecting.
    pub(crate) const fn mcp_pending(&self) -> bool {
        self.mcp_pending
    }

    /// The events to deliver, oldest first.
    pub(crate) const fn events(&mut self) -> &mut VecDeque<AgentEvent> {
        &mut self.events
    }

    /// Takes the new transcript entries, oldest first. The CLI reports them before the `result` of their
    /// turn.
    pub(crate) fn take_mirrored(&mut self) -> Vec<Mirrored> {
        mem::take(&mut self.mirrored)
    }

    /// The frames to write to the CLI.
    pub(crate) const fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    fn result(&mut self, frame: &Members<'_>) {
        // A message that arrived during an unprompted turn may have become part of it. Such a result has an
        // `origin` although it answers a user message, so `user_message_uuids` decides.
        let named: Vec<Text<'_>> = frame.read("user_message_uuids").unwrap_or_default();
        let all = named.is_empty() && frame.get("origin").is_none();
        let is_answered = |message: &mut Message| all || named.iter().any(|Text(uuid)| *uuid == message.uuid);
        let answered: Vec<_> = self.messages.extract_if(.., is_answered).collect();
        let succeeded = frame.text("subtype").is_some_and(|subtype| subtype == "success")
            && !frame.read("is_error").unwrap_or(false);
        self.transcribed.ended(succeeded, answered.iter().map(|message| &*message.uuid));
        self.in_turn = false;
        self.events.push_back(decode::result(frame, !answered.is_empty()));
        // A command that the user typed, such as `/model`: no frame says what it has changed.
        if frame.get("local_command").is_some() {
            let effort = self.effort_typed.take();
            self.ask(Asked::Settings { effort }, Request::GetSettings);
        }
        self.ask_mcp_status();
    }

    fn system(&mut self, frame: &Members<'_>) {
        let subtype = frame.text("subtype").unwrap_or_default();
        match &*subtype {
            "init" => {
                self.in_turn = true;
                let permission_mode = frame.text("permissionMode").map(Into::into);
                self.events.push_back(AgentEvent::TurnStarted { permission_mode });
                self.mcp_servers(frame.get("mcp_servers"));
            }
            "commands_changed" => self.commands_reported(frame.get("commands")),
            task if task.starts_with("task_") => self.events.extend(self.tasks.handle(task, frame)),
            other => {
                // A tool may have changed the mode, such as an approved ExitPlanMode.
                if let Some(mode) = frame.text("permissionMode").filter(|_| other == "status") {
                    let permission_mode = Some(mode.into());
                    self.events.push_back(AgentEvent::Changed { permission_mode, model: None, effort: None });
                }
                self.events.extend(decode::status(other, frame));
            }
        }
    }

    fn mcp_servers(&mut self, servers: Option<&RawValue>) {
        self.mcp_pending = false;
        for (server_name, status) in decode::mcp_servers(servers) {
            self.mcp_pending |= status == "pending";
            self.events.push_back(AgentEvent::McpStatus { server_name, status });
        }
    }

    fn asked_by_cli(&mut self, frame: &Members<'_>) {
        let Some(id) = frame.text("request_id") else { return };
        let request = Members::of(frame.get("request"));
        match &*request.text("subtype").unwrap_or_default() {
            "can_use_tool" => {
                let ask = self.asks.tool(&id, &request);
                match self.again.asked(&ask.correlation_id) {
                    Some(decision) => self.decide(&ask.correlation_id, &decision),
                    None => self.asked_for_permission(&id, ask),
                }
            }
            "hook_callback" if self.again.is_own(&request) => {
                let answer = self.again.answer(&request);
                self.outbox.push(&ResponseFrame::raw(&id, &answer));
            }
            "hook_callback" if self.calls_own_hook(&id, frame, &request) => {}
            "hook_callback" => {
                let ask = self.asks.hook(&id, &request);
                self.events.push_back(AgentEvent::Ask(ask));
            }
            "elicitation" => {
                let ask = self.asks.elicitation(&id, &request);
                self.events.push_back(AgentEvent::Ask(ask));
            }
            "mcp_message" => self.mcp_message(&id, &request),
            other => {
                tracing::warn!(subtype = other, "the agent sent an unknown control request");
                let words = format!("unsupported control request: {other}");
                self.outbox.push(&ResponseFrame::error(&id, &words));
            }
        }
    }

    fn answered(&mut self, response: &Members<'_>) {
        let id = response.text("request_id").and_then(|id| id.parse().ok());
        let Some(asked) = id.and_then(|id: u64| self.asked.remove(&id)) else { return };
        let outcome = match response.text("subtype").as_deref() {
            Some("success") => Ok(Members::of(response.get("response"))),
            _ => Err(response.text("error").unwrap_or("the agent refused".into()).into_owned()),
        };
        match (asked, outcome) {
            (Asked::Look { request, look }, outcome) => {
                let answer = outcome.and_then(|_| response.get("response").ok_or_else(String::new));
                self.looked(request, look, answer);
            }
            (Asked::Step { request, step }, outcome) => self.stepped(request, step, outcome),
            (Asked::Initialize, Ok(answer)) => {
                self.stage = Stage::Ready;
                self.commands_reported(answer.get("commands"));
                self.events.extend(self.wakeups.resumed());
                self.events.push_back(AgentEvent::Ready);
                self.ask_mcp_status();
                self.ask_cost();
                self.rehearse();
            }
            (Asked::Initialize, Err(words)) => {
                self.stage = Stage::Failed;
                let message = format!("The agent could not start: {words}");
                self.events.push_back(AgentEvent::Error { code: "agent_start_failed".to_owned(), message });
            }
            (Asked::Interrupt, Ok(answer)) => self.interrupted(&answer),
            (Asked::Cost, Ok(answer)) => self.cost(&answer),
            (Asked::McpStatus, Ok(answer)) => self.mcp_servers(answer.get("mcpServers")),
            (
                Asked::ContextUsage
                | Asked::FlagSettings
                | Asked::PlanMode
                | Asked::McpMessage
                | Asked::Watched,
                Ok(_),
            ) => {}
            (Asked::PlanMode, Err(words)) => {
                let message = format!("The agent did not return to plan mode: {words}");
                self.events.push_back(AgentEvent::Error { code: "mode_lost".to_owned(), message });
            }
            (Asked::FlagSettings, Err(words)) => {
                let message = format!("The agent did not take the session's permission rules: {words}");
                self.events.push_back(AgentEvent::Error { code: "permissions_lost".to_owned(), message });
            }
            (Asked::Settings { effort }, Ok(answer)) => {
                let applied = Members::of(answer.get("applied"));
                let model = applied.text("model").map(Into::into);
                let effort = effort.and_then(|typed| match typed.trim() {
                    "auto" => Some(Effort::Default),
                    level => (applied.text("effort")? == level).then(|| Effort::Of(level.to_owned())),
                });
                self.events.push_back(AgentEvent::Changed { permission_mode: None, model, effort });
            }
            (
                Asked::Interrupt
                | Asked::McpStatus
                | Asked::McpMessage
                | Asked::ContextUsage
                | Asked::Cost
                | Asked::Watched
                | Asked::Settings { .. },
                Err(words),
            ) => {
                tracing::debug!(words, "the agent refused a request");
            }
            (Asked::Command(request), outcome) => {
                let outcome = outcome.map(drop);
                self.events.push_back(AgentEvent::Answer { request, outcome });
            }
        }
    }

    /// Makes the CLI load what its first turn needs before a message arrives. Measured: this saves a quarter
    /// of the time from the first message to the first delta. The CLI estimates the summary without a model
    /// request.
    fn rehearse(&mut self) {
        if self.messages.is_empty() {
            self.ask(Asked::ContextUsage, Request::GetContextUsage { detail: "summary" });
        }
    }

    /// Handles the response to an interrupt. An interrupt does not stop a message that is still in the CLI's
    /// queue; the response lists such messages, and they are interrupted when they start.
    fn interrupted(&mut self, answer: &Members<'_>) {
        let queued: Vec<Text<'_>> = answer.read("still_queued").unwrap_or_default();
        let mut again = false;
        for message in &mut self.messages {
            if queued.iter().any(|Text(uuid)| *uuid == message.uuid) {
                again |= message.started;
                message.interrupt = !message.started;
            }
        }
        if again {
            self.interrupt();
        }
    }

    fn lifecycle(&mut self, frame: &Members<'_>) {
        let uuid = frame.text("command_uuid").unwrap_or_default();
        if frame.text("state").as_deref() != Some("started") {
            return;
        }
        if frame.get("wakeup_source").is_some() {
            // Its turn has begun, although `init` follows later: with no wake-up and no turn the session could sleep.
            self.in_turn = true;
            self.events.push_back(AgentEvent::TurnStarted { permission_mode: None });
            self.events.extend(self.wakeups.came(frame, unix_ms::now()));
        }
        let Some(message) = self.messages.iter_mut().find(|message| message.uuid == *uuid) else { return };
        message.started = true;
        if mem::take(&mut message.interrupt) {
            self.interrupt();
        }
    }

    fn decide(&mut self, correlation_id: &str, decision: &Decision) {
        let Some(open) = self.asks.settle(correlation_id) else {
            if self.again.decide(correlation_id, decision) {
                return;
            }
            tracing::debug!(correlation_id, "ignored a decision for a prompt that is not open");
            return;
        };
        self.outbox.push(&ResponseFrame::decision(&open.request_id, open.kind, &open.input, decision));
        // With the denial alone, the CLI ends the sub-agent and goes on with the turn.
        if open.of_sub_agent && matches!(decision, Decision::Deny { interrupt: true, .. }) {
            self.interrupt();
        }
    }

    fn ask(&mut self, asked: Asked, request: Request<'_>) {
        self.last_request += 1;
        self.asked.insert(self.last_request, asked);
        self.outbox.push(&RequestFrame::new(self.last_request, request));
    }
}

fn parse_delta(line: &[u8]) -> Option<DeltaFrame<'_>> {
    let text = std::str::from_utf8(line.starts_with(DELTA).then_some(line)?).ok()?;
    serde_json::from_str(text).ok()
}

fn parse(line: &[u8]) -> Option<(&str, Frame<'_>)> {
    let text = std::str::from_utf8(line).ok()?;
    Some((text, serde_json::from_str(text).ok()?))
}

#[cfg(test)]
mod tests;
