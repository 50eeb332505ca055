//! Plays turns.

use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::turn::{Call, Step, Turn};
use crate::proto::{AgentCommand, AgentEvent, AgentMessage, Ask, AskKind, Decision, Delta, Look, TurnEnd};

/// One agent.
pub(super) struct Player {
    commands: mpsc::Receiver<AgentCommand>,
    events: mpsc::Sender<AgentEvent>,
}

/// Why a turn does not go on.
pub(super) enum Stop {
    Interrupted,
    /// The session or the agent has ended.
    Ended,
}

/// What else than a change of settings came.
enum Heard {
    Message(Box<RawValue>, String),
    Decision(String, Decision),
    Interrupt,
}

impl Player {
    pub(super) fn new(commands: mpsc::Receiver<AgentCommand>, events: mpsc::Sender<AgentEvent>) -> Self {
        Self { commands, events }
    }

    /// Answers messages until the session or the agent has ended.
    pub(super) async fn play_all(
        mut self,
        answer: &(dyn Fn(&str) -> Turn + Send + Sync),
    ) -> Result<(), Stop> {
        loop {
            let Heard::Message(content, id) = self.hear().await? else { continue };
            let turn = answer(&text(&content));
            let Turn { steps, subtype, cost } = turn;
            let played = self.play(steps, &id).await;
            let subtype = match played {
                Ok(()) => subtype,
                Err(Stop::Interrupted) => "error_during_execution".to_owned(),
                Err(Stop::Ended) => return Err(Stop::Ended),
            };
            let end = TurnEnd {
                subtype,
                turn_cost_usd: Some(cost),
                process_cost_usd: None,
                unprompted: false,
                extra: Vec::new(),
            };
            self.say(AgentEvent::TurnEnded(end)).await?;
        }
    }

    async fn play(&mut self, steps: Vec<Step>, id: &str) -> Result<(), Stop> {
        for (n, step) in steps.into_iter().enumerate() {
            let id = format!("{id}-{n}");
            match step {
                Step::Text(text) => self.say_text(&id, &text).await?,
                Step::Wait(time) => self.wait_until(Instant::now() + time).await?,
                Step::Exit(message) => {
                    self.say(AgentEvent::Exited { message }).await?;
                    return Err(Stop::Ended);
                }
                Step::Tool(call) => {
                    self.call(&id, &call.tool, &call.input).await?;
                    self.result(id, &call.output, call.is_error).await?;
                }
                Step::Ask(call) => self.ask(id, call).await?,
                Step::Question(input) => self.question(id, &input).await?,
            }
        }
        Ok(())
    }

    async fn say_text(&self, id: &str, text: &str) -> Result<(), Stop> {
        for word in text.split_inclusive(' ') {
            let delta = Delta::text(word);
            let delta = AgentEvent::Delta { message_id: id.to_owned(), parent_tool_use_id: None, delta };
            self.say(delta).await?;
        }
        self.message(id, &json!({"type": "text", "text": text})).await
    }

    async fn ask(&mut self, id: String, call: Call) -> Result<(), Stop> {
        self.call(&id, &call.tool, &call.input).await?;
        match self.decision(&id, AskKind::Permission, call.tool, &call.input).await? {
            Decision::Deny { message, .. } => self.result(id, &message.unwrap_or_default(), true).await,
            _ => self.result(id, &call.output, false).await,
        }
    }

    async fn question(&mut self, id: String, input: &Value) -> Result<(), Stop> {
        const TOOL: &str = "AskUserQuestion";
        self.call(&id, TOOL, input).await?;
        match self.decision(&id, AskKind::Question, TOOL.to_owned(), input).await? {
            Decision::Allow { updated_input: Some(answered), .. } => {
                let answered: Value = serde_json::from_str(answered.get()).unwrap_or_default();
                self.result(id, &answered["answers"].to_string(), false).await
            }
            Decision::Deny { message, .. } => self.result(id, &message.unwrap_or_default(), true).await,
            _ => self.result(id, "", false).await,
        }
    }

    /// Asks and waits for the answer.
    async fn decision(
        &mut self,
        id: &str,
        kind: AskKind,
        name: String,
        input: &Value,
    ) -> Result<Decision, Stop> {
        let ask = Ask {
            kind,
            correlation_id: id.to_owned(),
            name,
            input: raw(input),
            context: Vec::new(),
            resumable: false,
        };
        self.say(AgentEvent::Ask(ask)).await?;
        loop {
            match self.hear().await? {
                Heard::Decision(of, Decision::Deny { interrupt: true, .. }) if of == id => {
                    return Err(Stop::Interrupted);
                }
                Heard::Decision(of, decision) if of == id => return Ok(decision),
                Heard::Interrupt => {
                    self.say(AgentEvent::Withdrawn { correlation_id: id.to_owned() }).await?;
                    return Err(Stop::Interrupted);
                }
                Heard::Decision(..) | Heard::Message(..) => {}
            }
        }
    }

    async fn wait_until(&mut self, end: Instant) -> Result<(), Stop> {
        loop {
            // Only the receiving is cancelled when the time is over, so no command is lost.
            let command = tokio::select! {
                command = self.commands.recv() => command,
                () = sleep_until(end) => return Ok(()),
            };
            if let Some(Heard::Interrupt) = self.sort(command.ok_or(Stop::Ended)?).await? {
                return Err(Stop::Interrupted);
            }
        }
    }

    async fn call(&self, id: &str, tool: &str, input: &Value) -> Result<(), Stop> {
        self.message(
            &format!("{id}-call"),
            &json!({"type": "tool_use", "id": id, "name": tool, "input": input}),
        )
        .await
    }

    async fn result(&self, tool_use_id: String, output: &str, is_error: bool) -> Result<(), Stop> {
        let output = raw(&json!(output));
        self.say(AgentEvent::ToolResult { tool_use_id, parent_tool_use_id: None, output, is_error }).await
    }

    async fn message(&self, id: &str, block: &Value) -> Result<(), Stop> {
        let (id, blocks) = (id.to_owned(), vec![raw(block)]);
        self.say(AgentEvent::Message(AgentMessage {
            id,
            parent_tool_use_id: None,
            blocks,
            extra: Vec::new(),
        }))
        .await
    }

    async fn say(&self, event: AgentEvent) -> Result<(), Stop> {
        self.events.send(event).await.map_err(|_| Stop::Ended)
    }

    /// The next command, after agreeing to changes of the settings.
    async fn hear(&mut self) -> Result<Heard, Stop> {
        loop {
            let command = self.commands.recv().await.ok_or(Stop::Ended)?;
            if let Some(heard) = self.sort(command).await? {
                return Ok(heard);
            }
        }
    }

    /// Agrees to a change of the settings, and returns every other command.
    async fn sort(&self, command: AgentCommand) -> Result<Option<Heard>, Stop> {
        Ok(Some(match command {
            AgentCommand::User { content, message_uuid, .. } => Heard::Message(content, message_uuid),
            AgentCommand::Decide { correlation_id, decision } => Heard::Decision(correlation_id, decision),
            AgentCommand::Interrupt => Heard::Interrupt,
            AgentCommand::SetPermissionMode { request, .. }
            | AgentCommand::SetModel { request, .. }
            | AgentCommand::StopTask { request, .. } => {
                self.say(AgentEvent::Answer { request, outcome: Ok(()) }).await?;
                return Ok(None);
            }
            // It runs a message as soon as it has it, and keeps no files.
            AgentCommand::CancelMessage { request, .. } | AgentCommand::Rewind { request, .. } => {
                let outcome = Err("the scripted agent cannot take this back".to_owned());
                self.say(AgentEvent::Answer { request, outcome }).await?;
                return Ok(None);
            }
            AgentCommand::Look { request, look } => {
                let found = if look == Look::Context { json!({}) } else { json!([]) };
                self.say(AgentEvent::Looked { request, found: raw(&found) }).await?;
                return Ok(None);
            }
            AgentCommand::SetOwner { .. } | AgentCommand::Watched { .. } => return Ok(None),
            AgentCommand::Abort => return Err(Stop::Ended),
        }))
    }
}

/// The text of a message, which is a string or an array of content blocks.
fn text(content: &RawValue) -> String {
    match serde_json::from_str(content.get()).unwrap_or_default() {
        Value::String(text) => text,
        Value::Array(blocks) => {
            let texts: Vec<&str> = blocks.iter().filter_map(|block| block["text"].as_str()).collect();
            texts.join("\n")
        }
        _ => String::new(),
    }
}

fn raw(value: &Value) -> Box<RawValue> {
    to_raw_value(value).expect("keys are strings")
}
