//! The conversation with one CLI process, without I/O: lines and commands in, events and bytes out.

use std::{
    collections::{HashMap, VecDeque},
    mem,
};

use serde_json::value::RawValue;

use super::{
    asks::Asks,
    decode::{self, Mirrored, Tasks},
    encode::{Request, RequestFrame, ResponseFrame, UserFrame},
    outbox::Outbox,
    stream::Streams,
    wire::{Frame, Members, Text},
};
use crate::proto::{AgentCommand, AgentEvent, Decision};

/// One process's side of the control protocol.
#[derive(Debug)]
pub(crate) struct Bridge {
    streams: Streams,
    tasks: Tasks,
    asks: Asks,
    /// Our requests the CLI has not answered.
    asked: HashMap<u64, Asked>,
    last_request: u64,
    /// Users' messages whose turn has not ended.
    messages: Vec<Message>,
    in_turn: bool,
    stage: Stage,
    mcp_pending: bool,
    events: VecDeque<AgentEvent>,
    mirrored: Vec<Mirrored>,
    outbox: Outbox,
}

/// How far the start-up is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// `initialize` is not answered yet.
    Starting,
    Ready,
    /// `initialize` was refused: this process is of no use.
    Failed,
}

#[derive(Clone, Copy, Debug)]
enum Asked {
    Initialize,
    Interrupt,
    McpStatus,
    ContextUsage,
    /// A command of the session's, by its number.
    Command(u64),
}

#[derive(Debug)]
struct Message {
    uuid: String,
    started: bool,
    /// An interrupt came before the CLI took it out of its queue, and passed it by.
    interrupt: bool,
}

impl Bridge {
    /// Begins with the handshake.
    pub(crate) fn new(hooks: Option<&RawValue>) -> Self {
        let mut bridge = Self {
            streams: Streams::default(),
            tasks: Tasks::default(),
            asks: Asks::default(),
            asked: HashMap::new(),
            last_request: 0,
            messages: Vec::new(),
            in_turn: false,
            stage: Stage::Starting,
            mcp_pending: false,
            events: VecDeque::new(),
            mirrored: Vec::new(),
            outbox: Outbox::default(),
        };
        bridge.ask(Asked::Initialize, Request::Initialize { hooks });
        bridge
    }

    /// A line the CLI wrote.
    pub(crate) fn handle_line(&mut self, line: &[u8]) {
        let Some((text, frame)) = parse(line) else {
            tracing::warn!(bytes = line.len(), "the agent wrote a line that is no frame");
            return;
        };
        if frame.kind.0 == "stream_event" {
            self.events.extend(self.streams.handle(&frame));
            return;
        }
        let members: Members<'_> = serde_json::from_str(text).unwrap_or_default();
        match &*frame.kind.0 {
            "assistant" => {
                let parent = members.text("parent_tool_use_id");
                let open = self.streams.message_id(parent.as_deref());
                self.events.extend(decode::assistant(&members, open));
            }
            "user" => self.events.extend(decode::tool_results(&members)),
            "result" => self.result(&members),
            "system" => self.system(&members),
            "control_request" => self.asked_by_cli(&members),
            "control_cancel_request" => {
                let id = members.text("request_id").unwrap_or_default();
                let withdrawn = self.asks.withdraw(&id);
                self.events.extend(withdrawn.map(|correlation_id| AgentEvent::Withdrawn { correlation_id }));
            }
            "control_response" => self.answered(&Members::of(members.get("response"))),
            "command_lifecycle" => self.lifecycle(&members),
            "transcript_mirror" => self.mirrored.extend(decode::mirrored(&members)),
            kind => tracing::trace!(kind, "a frame that says nothing to us"),
        }
    }

    /// A line was too long and was skipped.
    pub(crate) fn handle_oversize(&mut self, length: usize) {
        self.events.push_back(AgentEvent::Error {
            code: "oversize_line".to_owned(),
            message: format!(
                "The agent wrote a line of {length} bytes, which is more than is taken; it is lost."
            ),
        });
    }

    /// What the session wants.
    pub(crate) fn handle_command(&mut self, command: AgentCommand) {
        match command {
            AgentCommand::User { content, message_uuid: uuid } => {
                self.outbox.push(&UserFrame::new(&uuid, &content));
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
            // Not a matter of the conversation: it is the supervisor's.
            AgentCommand::Abort => {}
        }
    }

    /// Stops the running turn.
    pub(crate) fn interrupt(&mut self) {
        self.ask(Asked::Interrupt, Request::Interrupt);
    }

    /// Asks for the statuses of the MCP servers.
    pub(crate) fn ask_mcp_status(&mut self) {
        self.ask(Asked::McpStatus, Request::McpStatus);
    }

    /// The process is gone: what waits for an answer gets one.
    pub(crate) fn handle_end(&mut self) {
        for (_, asked) in mem::take(&mut self.asked) {
            if let Asked::Command(request) = asked {
                let outcome = Err("the agent ended before it answered".to_owned());
                self.events.push_back(AgentEvent::Answer { request, outcome });
            }
        }
    }

    /// How far the start-up is.
    pub(crate) const fn stage(&self) -> Stage {
        self.stage
    }

    /// A turn runs, or one of our messages waits for its own.
    pub(crate) const fn in_turn(&self) -> bool {
        self.in_turn || !self.messages.is_empty()
    }

    /// Some MCP server is still connecting.
    pub(crate) const fn mcp_pending(&self) -> bool {
        self.mcp_pending
    }

    /// What happened, oldest first.
    pub(crate) const fn events(&mut self) -> &mut VecDeque<AgentEvent> {
        &mut self.events
    }

    /// What was added to the transcripts, oldest first. It comes before the `result` of its turn.
    pub(crate) fn take_mirrored(&mut self) -> Vec<Mirrored> {
        mem::take(&mut self.mirrored)
    }

    /// What is to be written to the CLI.
    pub(crate) const fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    fn result(&mut self, frame: &Members<'_>) {
        // A message that came while the CLI ran a turn of its own may have become part of that turn, so
        // the `origin` alone does not say whom the result answers.
        let named: Vec<Text<'_>> = frame.read("user_message_uuids").unwrap_or_default();
        let before = self.messages.len();
        if named.is_empty() && frame.get("origin").is_none() {
            self.messages.clear();
        } else {
            self.messages.retain(|message| !named.iter().any(|Text(uuid)| *uuid == message.uuid));
        }
        self.in_turn = false;
        self.events.push_back(decode::result(frame, self.messages.len() < before));
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
            task if task.starts_with("task_") => self.events.extend(self.tasks.handle(task, frame)),
            other => self.events.extend(decode::status(other, frame)),
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
                self.events.push_back(AgentEvent::Ask(ask));
            }
            "hook_callback" => {
                let ask = self.asks.hook(&id, &request);
                self.events.push_back(AgentEvent::Ask(ask));
            }
            "mcp_message" => {
                self.outbox.push(&ResponseFrame::error(&id, "there is no in-process MCP server here"));
            }
            other => {
                tracing::warn!(subtype = other, "the agent asked for something we do not know");
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
            (Asked::Initialize, Ok(_)) => {
                self.stage = Stage::Ready;
                self.events.push_back(AgentEvent::Ready);
                self.ask_mcp_status();
                self.rehearse();
            }
            (Asked::Initialize, Err(words)) => {
                self.stage = Stage::Failed;
                let message = format!("The agent could not start: {words}");
                self.events.push_back(AgentEvent::Error { code: "agent_start_failed".to_owned(), message });
            }
            (Asked::Interrupt, Ok(answer)) => self.interrupted(&answer),
            (Asked::McpStatus, Ok(answer)) => self.mcp_servers(answer.get("mcpServers")),
            (Asked::ContextUsage, Ok(_)) => {}
            (Asked::Interrupt | Asked::McpStatus | Asked::ContextUsage, Err(words)) => {
                tracing::debug!(words, "refused");
            }
            (Asked::Command(request), outcome) => {
                let outcome = outcome.map(drop);
                self.events.push_back(AgentEvent::Answer { request, outcome });
            }
        }
    }

    /// Lets the CLI load what its first turn needs while nobody waits. Measured: a quarter of its time from the
    /// first message to the first delta. The summary is an estimate, for which no model is asked.
    fn rehearse(&mut self) {
        if self.messages.is_empty() {
            self.ask(Asked::ContextUsage, Request::GetContextUsage { detail: "summary" });
        }
    }

    /// An interrupt that comes while a message is still in the CLI's queue can miss the turn that
    /// begins right after. The answer names such messages: they are interrupted when they start.
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
        let Some(message) = self.messages.iter_mut().find(|message| message.uuid == *uuid) else { return };
        message.started = true;
        if mem::take(&mut message.interrupt) {
            self.interrupt();
        }
    }

    fn decide(&mut self, correlation_id: &str, decision: &Decision) {
        let Some(open) = self.asks.settle(correlation_id) else {
            tracing::debug!(correlation_id, "a decision nobody waits for");
            return;
        };
        self.outbox.push(&ResponseFrame::decision(&open.request_id, open.kind, &open.input, decision));
    }

    fn ask(&mut self, asked: Asked, request: Request<'_>) {
        self.last_request += 1;
        self.asked.insert(self.last_request, asked);
        self.outbox.push(&RequestFrame::new(self.last_request, request));
    }
}

fn parse(line: &[u8]) -> Option<(&str, Frame<'_>)> {
    let text = std::str::from_utf8(line).ok()?;
    Some((text, serde_json::from_str(text).ok()?))
}

#[cfg(test)]
mod tests;
