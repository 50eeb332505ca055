//! Handles the inputs of clients.

use std::time::Instant;

use super::{Agent, Request, Session};
use crate::proto::{
    Accepted, AgentCommand, Ask, AskKind, Decision, IdempotencyKey, Inbound, OutEvent, Refused,
    idempotency::Seen, permissions, prompts::Outcome, turn::Queued,
};

impl Session {
    /// Handles a client's message (`docs/protocol.md`, Messages). An input whose key and body were accepted
    /// before changes nothing. `message_uuid`, a new v4 uuid, becomes the id of a user's message that has none.
    ///
    /// # Errors
    /// The input was refused, and the session has not changed.
    pub fn handle_input(
        &mut self,
        now: Instant,
        input: Inbound,
        key: Option<IdempotencyKey>,
        message_uuid: String,
    ) -> Result<Accepted, Refused> {
        if self.closed {
            return Err(Refused::Closed);
        }
        match key.as_ref().map(|key| self.keys.look_up(key)) {
            Some(Seen::SameBody(message_uuid)) => return Ok(Accepted::Repeated(message_uuid)),
            Some(Seen::OtherBody) => return Err(Refused::KeyReused),
            Some(Seen::Never) | None => {}
        }
        let (chosen, is_message) = match &input {
            Inbound::UserMessage { message_uuid, .. } => (message_uuid.clone(), true),
            _ => (None, false),
        };
        if chosen.as_ref().is_some_and(|uuid| self.message_ids.contains(uuid)) {
            return Err(Refused::KnownMessage);
        }
        if let Some(exceeded) = self.exceeded(now).filter(|_| is_message) {
            return Err(Refused::BudgetExceeded(exceeded));
        }
        let message_uuid = chosen.unwrap_or(message_uuid);
        let sent = is_message.then(|| message_uuid.clone());
        let accepted = self.take_input(input, message_uuid)?;
        self.touch(now);
        // Remembered only now, so that a refused input can be sent again with its key.
        if let Some(key) = key {
            self.keys.remember(key, sent);
        }
        Ok(accepted)
    }

    fn take_input(&mut self, input: Inbound, message_uuid: String) -> Result<Accepted, Refused> {
        match input {
            Inbound::UserMessage { content, verbatim, .. } => {
                self.take_message(Queued { content, message_uuid, verbatim })?;
            }
            Inbound::CancelMessage { message_uuid } => return self.cancel_message(message_uuid),
            Inbound::Rewind { message_uuid, dry_run } => return self.rewind(message_uuid, dry_run),
            Inbound::Interrupt if self.turns.is_running() && matches!(self.agent, Agent::Down) => {
                self.drop_turn();
            }
            Inbound::Interrupt if self.turns.is_running() => self.tell(AgentCommand::Interrupt),
            Inbound::Interrupt => {}
            Inbound::PermissionResponse { correlation_id, decision, by_link } => {
                if self.open_prompt(&correlation_id)?.kind == AskKind::Elicitation {
                    return Err(Refused::WrongType("an elicitation_response"));
                }
                self.decide(&correlation_id, decision, by_link)?;
            }
            Inbound::QuestionResponse { correlation_id, answers } => {
                let ask = self.open_prompt(&correlation_id)?;
                if ask.kind != AskKind::Question {
                    return Err(Refused::NotAQuestion);
                }
                answers.check(&ask.input).map_err(|questions| Refused::OtherQuestions(quoted(&questions)))?;
                let updated_input = Some(answers.with_input(&ask.input));
                let decision = Decision::Allow { updated_input, updated_permissions: None };
                self.decide(&correlation_id, decision, false)?;
            }
            Inbound::ElicitationResponse { correlation_id, answer } => {
                match self.open_prompt(&correlation_id)?.kind {
                    AskKind::Elicitation => {
                        self.decide(&correlation_id, Decision::Elicitation(answer), false)?;
                    }
                    AskKind::Question => return Err(Refused::WrongType("a question_response")),
                    AskKind::Permission | AskKind::Hook => {
                        return Err(Refused::WrongType("a permission_response"));
                    }
                }
            }
            Inbound::SetPermissionMode { mode } => {
                let request = self.request(Request::PermissionMode(mode.clone()))?;
                self.tell(AgentCommand::SetPermissionMode { request, mode });
                return Ok(Accepted::Asked(request));
            }
            Inbound::SetModel { model } => {
                let request = self.request(Request::Model(model.clone()))?;
                self.tell(AgentCommand::SetModel { request, model });
                return Ok(Accepted::Asked(request));
            }
            Inbound::StopTask { task_id } => {
                let request = self.request(Request::StopTask)?;
                self.tell(AgentCommand::StopTask { request, task_id });
                return Ok(Accepted::Asked(request));
            }
        }
        Ok(Accepted::Done)
    }

    fn take_message(&mut self, message: Queued) -> Result<(), Refused> {
        if self.turns.queued() >= self.config.queue_limit {
            return Err(Refused::Backpressure);
        }
        // The event comes when the message is queued, not when it is sent: a restored session reads its queue
        // from these events.
        self.emit(OutEvent::user_message(&message.content, &message.message_uuid));
        self.message_ids.add(&message.message_uuid);
        self.turns.push(message);
        self.send_next();
        Ok(())
    }

    /// Ends a turn that waits for answers and has no agent.
    fn drop_turn(&mut self) {
        self.settle_all(Outcome::Cancelled);
        self.turns.abort();
        self.aborted_result("interrupted");
        self.send_next();
    }

    fn open_prompt(&self, correlation_id: &str) -> Result<&Ask, Refused> {
        self.prompts.get(correlation_id).ok_or(Refused::Settled)
    }

    fn decide(&mut self, correlation_id: &str, decision: Decision, by_link: bool) -> Result<(), Refused> {
        self.open_prompt(correlation_id)?;
        let behavior = Some(if matches!(decision, Decision::Deny { .. }) { "deny" } else { "allow" });
        if let Decision::Allow { updated_permissions: Some(updates), .. } = &decision {
            self.permissions.extend(permissions::of_this_session(updates));
        }
        // Settled at once, so that the first answer wins.
        self.settle(correlation_id, Outcome::Answered { behavior, by_link });
        self.tell(AgentCommand::Decide { correlation_id: correlation_id.to_owned(), decision });
        Ok(())
    }

    /// Registers an input that waits for the agent's answer. Their maximum number is that of queued messages.
    pub(super) fn request(&mut self, request: Request) -> Result<u64, Refused> {
        if self.requests.len() >= self.config.queue_limit {
            return Err(Refused::Backpressure);
        }
        let id = self.next_request;
        self.next_request += 1;
        self.requests.insert(id, request);
        Ok(id)
    }
}

fn quoted(questions: &[String]) -> String {
    questions.iter().map(|question| format!("{question:?}")).collect::<Vec<_>>().join(", ")
}
