//! What this process answers instead of clients: MCP servers, policies and hooks of the program that embeds the
//! backend.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::{Asked, Bridge};
use crate::{
    claude::protocol::{
        encode::{Request, ResponseFrame},
        mcp::{FromCli, FromServer},
        wire::Members,
    },
    proto::{AgentEvent, Ask, AskKind, Decision},
};

/// The start of the ids of this process's hooks.
pub(crate) const HOOK: &str = "agent-webkit-hook-";

/// The id of the hook by which policies look at every call of a tool.
pub(crate) const GUARD: &str = "agent-webkit-hook-policy";

/// Something that this process has to answer.
#[derive(Debug)]
pub(crate) enum InProcessCall {
    /// A message to an MCP server.
    Mcp { server: Arc<str>, message: Box<RawValue> },
    /// A permission request.
    Ask { request_id: String, ask: Ask },
    /// A call of a hook.
    Hook { request_id: String, callback_id: String, input: Box<RawValue>, tool_use_id: Option<String> },
}

impl Bridge {
    /// Takes what this process has to answer, oldest first.
    pub(crate) fn take_calls(&mut self) -> Vec<InProcessCall> {
        std::mem::take(&mut self.calls)
    }

    /// Handles a message of an MCP server.
    pub(crate) fn handle_mcp_server(&mut self, server: &Arc<str>, message: &RawValue) {
        match self.mcp_messages.take_from_server(server, message) {
            FromServer::Answer { control_request } => {
                self.outbox.push(&ResponseFrame::mcp(&control_request, message));
            }
            FromServer::Request(event) => {
                self.events.extend(event);
                self.ask(Asked::McpMessage, Request::McpMessage { server_name: server, message });
            }
            FromServer::Late => {}
        }
    }

    /// Handles the answer of the policies to a permission request. `None`: clients are asked.
    pub(crate) fn handle_verdict(&mut self, request_id: &str, ask: Ask, decision: Option<Decision>) {
        // The CLI may have withdrawn the request by now.
        if !self.asks.is_held(&ask.correlation_id, request_id) {
            return;
        }
        let Some(decision) = decision else {
            self.asks.release(&ask.correlation_id);
            return self.events.push_back(AgentEvent::Ask(ask));
        };
        let behavior = if matches!(decision, Decision::Allow { .. }) { "allow" } else { "deny" };
        self.decide(&ask.correlation_id, &decision);
        self.events.push_back(decided(ask.correlation_id, behavior));
    }

    /// Handles the output of a hook. `None`: clients are asked. `denied`: the call that a policy has denied by it.
    pub(crate) fn handle_hook(
        &mut self,
        request_id: &str,
        output: Option<&RawValue>,
        denied: Option<String>,
    ) {
        let Some(request) = self.hook_calls.remove(request_id) else { return };
        match output {
            Some(output) => {
                self.outbox.push(&ResponseFrame::raw(request_id, output));
                self.events.extend(denied.map(|call| decided(call, "deny")));
            }
            None => {
                let ask = self.asks.hook(request_id, &Members::of(Some(&request)));
                self.events.push_back(AgentEvent::Ask(ask));
            }
        }
    }

    /// Asks the policies, if there are any and nobody was asked yet.
    pub(super) fn asked_for_permission(&mut self, request_id: &str, ask: Ask) {
        if !self.has_policies || ask.kind != AskKind::Permission || self.again.has_asked(&ask.correlation_id)
        {
            return self.events.push_back(AgentEvent::Ask(ask));
        }
        self.asks.hold(&ask.correlation_id);
        self.calls.push(InProcessCall::Ask { request_id: request_id.to_owned(), ask });
    }

    /// Whether a hook is this process's own; it is called then.
    pub(super) fn calls_own_hook(
        &mut self,
        request_id: &str,
        frame: &Members<'_>,
        request: &Members<'_>,
    ) -> bool {
        let Some(callback_id) = request.text("callback_id").filter(|id| id.starts_with(HOOK)) else {
            return false;
        };
        let Some(raw) = frame.get("request") else { return false };
        let call = request.text("tool_use_id");
        // People know the prompt of this call, so it is left to them.
        if callback_id == GUARD && call.as_ref().is_some_and(|call| self.again.has_asked(call)) {
            self.outbox.push(&ResponseFrame::raw(request_id, &nothing()));
            return true;
        }
        self.hook_calls.insert(request_id.to_owned(), raw.to_owned());
        self.calls.push(InProcessCall::Hook {
            request_id: request_id.to_owned(),
            callback_id: callback_id.into_owned(),
            input: request.get("input").unwrap_or(RawValue::NULL).to_owned(),
            tool_use_id: call.map(Into::into),
        });
        true
    }

    pub(super) fn mcp_message(&mut self, id: &str, request: &Members<'_>) {
        let Some(FromCli { server, message, is_acknowledged }) =
            self.mcp_messages.take_from_cli(id, request, &self.mcp_servers)
        else {
            return self.outbox.push(&ResponseFrame::error(id, "there is no such in-process MCP server"));
        };
        if is_acknowledged {
            let nothing: &RawValue =
                serde_json::from_str(r#"{"jsonrpc":"2.0","result":{},"id":0}"#).expect("it is JSON");
            self.outbox.push(&ResponseFrame::mcp(id, nothing));
        }
        self.calls.push(InProcessCall::Mcp { server, message });
    }
}

/// The output of a hook that changes nothing.
fn nothing() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).expect("an object")
}

fn decided(correlation_id: String, behavior: &'static str) -> AgentEvent {
    AgentEvent::Decided { correlation_id, behavior: behavior.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::claude::{
        options::Handshake,
        protocol::{ask_again::AskAgain, permissions::Permissions},
    };

    /// A bridge with policies, whose handshake is written.
    fn bridge(open_prompts: &[&str]) -> Bridge {
        let again = AskAgain::new(open_prompts.iter().map(|call| (*call).to_owned()));
        let mut bridge = Bridge::new(None, &Handshake::default(), &Permissions::default(), again)
            .with_in_process(Vec::new(), true);
        bridge.outbox().clear();
        bridge
    }

    fn writes(bridge: &mut Bridge, request: &Value) {
        let frame = json!({"type": "control_request", "request_id": "q", "request": request});
        bridge.handle_line(frame.to_string().as_bytes());
    }

    fn asks(bridge: &mut Bridge) -> Option<Ask> {
        writes(
            bridge,
            &json!({"subtype": "can_use_tool", "tool_name": "Bash", "input": {}, "tool_use_id": "toolu_p"}),
        );
        match bridge.take_calls().pop() {
            Some(InProcessCall::Ask { ask, .. }) => Some(ask),
            _ => None,
        }
    }

    fn withdraws(bridge: &mut Bridge) {
        bridge.handle_line(br#"{"type":"control_cancel_request","request_id":"q"}"#);
    }

    fn allow() -> Option<Decision> {
        Some(Decision::Allow { updated_input: None, updated_permissions: None })
    }

    #[test]
    fn clients_learn_of_an_ask_when_the_policies_pass_it_on() {
        let mut bridge = bridge(&[]);
        let ask = asks(&mut bridge).unwrap();
        assert!(bridge.events().is_empty() && !bridge.can_be_suspended(), "nobody would ask again for it");
        bridge.handle_verdict("q", ask, None);
        assert!(matches!(bridge.events().pop_front(), Some(AgentEvent::Ask(_))));
        assert!(bridge.can_be_suspended() && bridge.outbox().rest().is_empty());
    }

    #[test]
    fn a_decision_is_written_and_told() {
        let mut bridge = bridge(&[]);
        let ask = asks(&mut bridge).unwrap();
        bridge.handle_verdict("q", ask.clone(), allow());
        assert!(String::from_utf8_lossy(bridge.outbox().rest()).contains(r#""behavior":"allow""#));
        let told = bridge.events().pop_front();
        assert!(matches!(told, Some(AgentEvent::Decided { behavior, .. }) if behavior == "allow"));
        bridge.outbox().clear();
        bridge.handle_verdict("q", ask, allow());
        assert!(bridge.outbox().rest().is_empty() && bridge.events().is_empty());
    }

    #[test]
    fn what_the_cli_withdraws_is_not_answered_any_more() {
        let mut bridge = bridge(&[]);
        let ask = asks(&mut bridge).unwrap();
        withdraws(&mut bridge);
        for decision in [allow(), None] {
            bridge.handle_verdict("q", ask.clone(), decision);
        }
        writes(
            &mut bridge,
            &json!({"subtype": "hook_callback", "callback_id": format!("{HOOK}0"), "input": {}}),
        );
        assert!(matches!(bridge.take_calls().pop(), Some(InProcessCall::Hook { .. })));
        withdraws(&mut bridge);
        for output in [Some(&*nothing()), None] {
            bridge.handle_hook("q", output, None);
        }
        assert!(bridge.outbox().rest().is_empty() && bridge.events().is_empty());
    }

    #[test]
    fn a_prompt_that_people_know_is_left_to_them() {
        let mut bridge = bridge(&["toolu_p"]);
        let guard =
            json!({"subtype": "hook_callback", "callback_id": GUARD, "input": {}, "tool_use_id": "toolu_p"});
        writes(&mut bridge, &guard);
        assert!(bridge.take_calls().is_empty());
        assert!(String::from_utf8_lossy(bridge.outbox().rest()).contains(r#""response":{}"#));
        assert!(asks(&mut bridge).is_none());
        assert!(matches!(bridge.events().pop_front(), Some(AgentEvent::Ask(_))));
    }
}
