//! The answers of this process to one agent.

use std::{path::PathBuf, sync::Arc};

use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

use super::InProcess;
use crate::{
    approvals::{self, Verdict},
    claude::protocol::bridge::InProcessCall,
    proto::{Ask, Decision},
    tools::server::{Caller, Running},
};

/// Answers one agent. What is still being answered is cancelled when this is dropped.
pub(crate) struct Answering {
    in_process: InProcess,
    caller: Caller,
    cwd: PathBuf,
    servers: Running,
    answers: JoinSet<Answer>,
}

/// An answer to an agent.
#[derive(Debug)]
pub(crate) enum Answer {
    /// A message of this MCP server.
    Mcp(Arc<str>, Box<RawValue>),
    /// The decision of the policies, if they have made one.
    Verdict { request_id: String, ask: Ask, decision: Option<Decision> },
    /// The output of a hook; `None` leaves it to clients. `denied`: the call that the policies have denied by it.
    Hook { request_id: String, output: Option<Box<RawValue>>, denied: Option<String> },
}

impl Answering {
    pub(super) fn start(in_process: InProcess, caller: Caller, cwd: PathBuf) -> Self {
        let servers = Running::start(&in_process.servers, &caller);
        Self { in_process, caller, cwd, servers, answers: JoinSet::new() }
    }

    /// Names the owner of the session.
    pub(crate) fn set_owner(&self, owner: Arc<str>) {
        self.caller.set_owner(Some(owner));
    }

    /// Begins to answer a call.
    pub(crate) fn take(&mut self, call: InProcessCall) {
        match call {
            InProcessCall::Mcp { server, message } => {
                if !self.servers.send(&server, message) {
                    tracing::warn!(%server, "an in-process MCP server has ended");
                }
            }
            InProcessCall::Ask { request_id, ask } => self.ask(request_id, ask),
            InProcessCall::Hook { request_id, callback_id, input, tool_use_id } => {
                let input = serde_json::from_str(input.get()).unwrap_or_default();
                self.hook(request_id, &callback_id, input, tool_use_id);
            }
        }
    }

    /// Waits for the next answer. Cancel safe.
    pub(crate) async fn next(&mut self) -> Answer {
        loop {
            tokio::select! {
                (server, message) = self.servers.next() => return Answer::Mcp(server, message),
                Some(answered) = self.answers.join_next() => match answered {
                    Ok(answer) => return answer,
                    Err(error) => tracing::error!(%error, "an answer to an agent failed"),
                },
            }
        }
    }

    fn ask(&mut self, request_id: String, ask: Ask) {
        let policies = self.in_process.policies.clone();
        let question = self.question(
            &ask.name,
            serde_json::from_str(ask.input.get()).unwrap_or_default(),
            ask.correlation_id.clone(),
            ask.context.iter().map(|(name, value)| (name.clone(), json!(value))).collect(),
        );
        let deciding = async move {
            for policy in policies {
                match policy.decide(question.clone()).await {
                    Verdict::Pass => {}
                    verdict => return Some(verdict),
                }
            }
            None
        };
        self.answers.spawn(async move {
            // A policy that panics passes the ask on, like one that fails.
            let verdict = AbortOnDropHandle::new(tokio::spawn(deciding)).await.ok().flatten();
            Answer::Verdict { request_id, ask, decision: verdict.and_then(decision) }
        });
    }

    fn hook(&mut self, request_id: String, callback_id: &str, input: Value, tool_use_id: Option<String>) {
        if self.in_process.is_guard(callback_id) {
            let name = input["tool_name"].as_str().unwrap_or_default();
            let call = tool_use_id.clone().unwrap_or_default();
            let question = self.question(name, input["tool_input"].clone(), call, Value::Null);
            let verdict = self.in_process.guard(&question);
            let denied = tool_use_id.filter(|_| matches!(verdict, Some(Verdict::Deny { .. })));
            let output = Some(guarded(verdict));
            self.answers.spawn(async { Answer::Hook { request_id, output, denied } });
            return;
        }
        let (hook, caller) = (self.in_process.hook(callback_id), self.caller.clone());
        self.answers.spawn(async move {
            let output = match hook {
                Some(hook) => {
                    match AbortOnDropHandle::new(tokio::spawn(hook.call(caller, input, tool_use_id))).await {
                        Ok(output) => output.0,
                        Err(_) => Some(json!({})),
                    }
                }
                None => Some(json!({})),
            };
            let output = output.map(|output| to_raw_value(&output).expect("it is JSON"));
            Answer::Hook { request_id, output, denied: None }
        });
    }

    fn question(&self, tool_name: &str, input: Value, tool_use_id: String, context: Value) -> approvals::Ask {
        approvals::Ask {
            session_id: self.caller.session_id.as_ref().into(),
            principal: self.caller.owner(),
            cwd: self.cwd.clone(),
            tool_use_id,
            context,
            ..approvals::Ask::new(tool_name, input)
        }
    }
}

fn decision(verdict: Verdict) -> Option<Decision> {
    match verdict {
        Verdict::Allow { input } => {
            let updated_input = input.map(|input| to_raw_value(&input).expect("it is JSON"));
            Some(Decision::Allow { updated_input, updated_permissions: None })
        }
        Verdict::Deny { message } => Some(Decision::Deny { message: Some(message), interrupt: false }),
        Verdict::Pass => None,
    }
}

/// The output of the hook before a tool call. Where the rules ask, the CLI has to ask, whatever its mode and its own
/// rules say.
fn guarded(verdict: Option<Verdict>) -> Box<RawValue> {
    let output = match verdict {
        Some(Verdict::Deny { message }) => {
            json!({"permissionDecision": "deny", "permissionDecisionReason": message})
        }
        Some(Verdict::Pass) => json!({"permissionDecision": "ask"}),
        Some(Verdict::Allow { .. }) | None => return to_raw_value(&json!({})).expect("it is JSON"),
    };
    let mut output = json!({"hookSpecificOutput": output});
    output["hookSpecificOutput"]["hookEventName"] = json!("PreToolUse");
    to_raw_value(&output).expect("it is JSON")
}
