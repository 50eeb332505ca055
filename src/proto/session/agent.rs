//! Handles the start, the events and the loss of the agent.

use std::time::Instant;

use super::{Agent, Request, Session};
use crate::proto::{AgentEvent, Ask, Effort, NoAnswer, OutEvent, Output, TurnEnd, prompts::Outcome};

impl Session {
    /// Handles the start of the agent that [`Output::Start`] requested.
    pub fn handle_started(&mut self, _now: Instant) {
        if let Agent::Starting(commands) = &mut self.agent {
            self.outputs.extend(commands.drain(..).map(Output::Command));
            self.agent = Agent::Up;
        }
    }

    /// Handles the failed start of the agent that [`Output::Start`] requested; `message` says why it failed.
    pub fn handle_start_failed(&mut self, now: Instant, message: &str) {
        self.lose_agent(now, "agent_start_failed", message);
    }

    /// Handles an event from the agent.
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
            // Before any other event the held message is released, so that events keep the agent's order.
            other => {
                self.release_messages();
                self.handle_other(now, other);
            }
        }
    }

    fn handle_other(&mut self, now: Instant, event: AgentEvent) {
        match event {
            AgentEvent::Delta { message_id, parent_tool_use_id, delta } => {
                let given_up = self.messages.piece(&message_id, parent_tool_use_id.as_deref());
                self.emit_all(given_up);
                self.emit(OutEvent::message_delta(&message_id, parent_tool_use_id.as_deref(), &delta));
            }
            AgentEvent::TurnStarted { permission_mode } => {
                self.turns.began();
                self.forget_looks();
                self.stop_if_exceeded(now);
                if let Some(mode) = permission_mode {
                    self.set_permission_mode(mode);
                }
            }
            AgentEvent::Changed { permission_mode, model, effort } => {
                if let Some(mode) = permission_mode {
                    self.set_permission_mode(mode);
                }
                self.config.model = model.or(self.config.model.take());
                match effort {
                    Some(Effort::Default) => self.effort = None,
                    Some(Effort::Of(effort)) => self.effort = Some(effort),
                    None => {}
                }
            }
            AgentEvent::WakeupSet(wakeup) => self.wakeups.set(wakeup),
            AgentEvent::WakeupGone { id } => self.wakeups.remove(&id),
            AgentEvent::Ready => {
                self.forget_looks();
                self.wakeups.process_has_started(self.unix_ms(now));
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
            AgentEvent::Decided { correlation_id, behavior } => {
                self.emit(OutEvent::decided(&correlation_id, &behavior));
            }
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
            AgentEvent::Cost { process_cost_usd } => self.spent(now, process_cost_usd),
            AgentEvent::FilesRewound { request, files } => self.rewound(request, &files),
            AgentEvent::Looked { request, found } => self.looked(request, found),
            AgentEvent::Error { code, message } => self.emit(OutEvent::error(&code, &message)),
            AgentEvent::Exited { message } => self.lose_agent(now, "agent_exited", &message),
            // `Fenced` concerns only the driver; messages are handled in `handle_agent`.
            AgentEvent::Message(_) | AgentEvent::MessageStopped { .. } | AgentEvent::Fenced => {}
        }
    }

    fn ask(&mut self, ask: Ask) {
        // A prompt with the id of an open one replaces it; the open one still has to end.
        if self.prompts.replace(&ask) {
            return;
        }
        self.settle(&ask.correlation_id, Outcome::Cancelled);
        let event = self.prompts.ask(ask);
        self.emit(event);
    }

    fn answer(&mut self, id: u64, outcome: Result<(), NoAnswer>) {
        let Some(request) = self.requests.remove(&id) else { return };
        if let Err(why) = outcome {
            self.refuse_request(id, &request, why);
            // A message may have waited for the end of a rewind.
            self.send_next();
            return;
        }
        match request {
            Request::PermissionMode(mode) => self.set_permission_mode(mode),
            Request::Model(model) => self.config.model = model,
            Request::CancelMessage(message_uuid) => self.cancelled(&message_uuid),
            Request::StopTask | Request::Look(_) | Request::Rewind { .. } => {}
        }
        self.outputs.push_back(Output::Answer { request: id, outcome: Ok(()) });
    }

    fn end_turn(&mut self, now: Instant, end: &TurnEnd) {
        // A background task may still write its messages.
        let given_up =
            if self.running_tasks.is_empty() { self.messages.clear() } else { self.messages.end_own() };
        self.emit_all(given_up);
        self.begin_day(now);
        let turn_cost = self.cost.turn(end);
        let subtype = self.subtype_of_end(&end.subtype);
        let result =
            OutEvent::result(&self.config.session_id, subtype, turn_cost, self.cost.session(), &end.extra);
        self.emit(result);
        self.touch(now);
        self.turns.ended(now, end.unprompted);
        self.check_session_budget();
        self.send_next();
    }

    /// Ends everything that waits for the lost agent. The next message starts another agent.
    fn lose_agent(&mut self, now: Instant, code: &str, message: &str) {
        if self.closed {
            return;
        }
        self.agent = Agent::Down;
        self.wakeups.process_was_lost(self.unix_ms(now));
        self.clear_messages();
        self.settle_all(Outcome::Cancelled);
        self.kill_tasks();
        self.emit(OutEvent::error(code, message));
        if self.turns.abort() {
            self.aborted_result(code);
        }
        self.refuse_requests(&NoAnswer::AgentGone);
        self.cost.new_process();
        self.touch(now);
        self.send_next();
    }
}
