//! The CLI's open prompts: made from its control requests and kept until they are answered.

use std::collections::HashMap;

use serde_json::value::RawValue;

use super::wire::Members;
use crate::proto::{Ask, AskKind};

/// The tool whose permission request is a question to the user.
const QUESTION_TOOL: &str = "AskUserQuestion";

/// The open prompts, by correlation id.
#[derive(Debug, Default)]
pub(crate) struct Asks(HashMap<String, Open>);

/// A prompt that is not answered yet.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) request_id: String,
    pub(crate) kind: AskKind,
    pub(crate) input: Box<RawValue>,
    /// A sub-agent waits for the answer.
    pub(crate) of_sub_agent: bool,
    resumable: bool,
    /// Clients do not know of it: a policy is asked first.
    is_held: bool,
}

impl Asks {
    /// Whether a prompt is open that another process of the session can ask again.
    pub(crate) fn any_resumable(&self) -> bool {
        self.0.values().any(|open| open.resumable && !open.is_held)
    }

    /// Keeps a prompt from clients until it is released.
    pub(crate) fn hold(&mut self, correlation_id: &str) {
        if let Some(open) = self.0.get_mut(correlation_id) {
            open.is_held = true;
        }
    }

    /// Whether this request's prompt is open and held.
    pub(crate) fn is_held(&self, correlation_id: &str, request_id: &str) -> bool {
        self.0.get(correlation_id).is_some_and(|open| open.is_held && open.request_id == request_id)
    }

    pub(crate) fn release(&mut self, correlation_id: &str) {
        if let Some(open) = self.0.get_mut(correlation_id) {
            open.is_held = false;
        }
    }

    /// Opens a prompt for a `can_use_tool` request: a permission, or a question.
    pub(crate) fn tool(&mut self, request_id: &str, request: &Members<'_>) -> Ask {
        let name: String = request.text("tool_name").unwrap_or_default().into();
        let kind = if name == QUESTION_TOOL { AskKind::Question } else { AskKind::Permission };
        let mut context = request.without(&["subtype", "tool_name", "input"]);
        if let Some(suggestions) = request.get("permission_suggestions") {
            context.push(("suggestions".to_owned(), suggestions.to_owned()));
        }
        let call = request.text("tool_use_id").filter(|id| !self.0.contains_key(&**id));
        // A sub-agent's calls are not in the main transcript, from which the CLI resumes.
        let resumable = call.is_some() && request.get("agent_id").is_none();
        let correlation_id = call.map_or_else(|| request_id.to_owned(), Into::into);
        let of_sub_agent = request.get("agent_id").is_some();
        let ask = Ask { kind, correlation_id, name, input: input(request), context, resumable };
        self.open(request_id, ask, of_sub_agent)
    }

    /// Opens a prompt for an `elicitation` request of an MCP server. It belongs to a running call of one of the
    /// server's tools, so no other process can ask it again.
    pub(crate) fn elicitation(&mut self, request_id: &str, request: &Members<'_>) -> Ask {
        let ask = Ask {
            kind: AskKind::Elicitation,
            correlation_id: request_id.to_owned(),
            name: request.text("mcp_server_name").unwrap_or_default().into(),
            input: input(request),
            context: request.without(&["subtype", "mcp_server_name"]),
            resumable: false,
        };
        self.open(request_id, ask, false)
    }

    /// Opens a prompt for a `hook_callback` request.
    pub(crate) fn hook(&mut self, request_id: &str, request: &Members<'_>) -> Ask {
        let name = Members::of(request.get("input")).text("hook_event_name").unwrap_or_default().into();
        let ask = Ask {
            kind: AskKind::Hook,
            correlation_id: request_id.to_owned(),
            name,
            input: input(request),
            context: request.without(&["subtype", "input"]),
            resumable: false,
        };
        self.open(request_id, ask, false)
    }

    fn open(&mut self, request_id: &str, ask: Ask, of_sub_agent: bool) -> Ask {
        let (request_id, input) = (request_id.to_owned(), ask.input.clone());
        let open = Open {
            request_id,
            kind: ask.kind,
            input,
            of_sub_agent,
            resumable: ask.resumable,
            is_held: false,
        };
        self.0.insert(ask.correlation_id.clone(), open);
        ask
    }

    /// Removes the prompt of a request that the CLI cancelled. Returns its correlation id, if clients know it.
    pub(crate) fn withdraw(&mut self, request_id: &str) -> Option<String> {
        let (correlation_id, open) = self.0.iter().find(|(_, open)| open.request_id == request_id)?;
        let (correlation_id, is_known) = (correlation_id.clone(), !open.is_held);
        self.0.remove(&correlation_id);
        is_known.then_some(correlation_id)
    }

    /// Removes and returns the prompt that was decided, if it is open.
    pub(crate) fn settle(&mut self, correlation_id: &str) -> Option<Open> {
        self.0.remove(correlation_id)
    }
}

fn input(request: &Members<'_>) -> Box<RawValue> {
    request
        .get("input")
        .map_or_else(|| RawValue::from_string("{}".to_owned()).expect("an object"), ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &str = r#"{"subtype":"can_use_tool","tool_name":"Bash","display_name":"Bash","input":{"command":"touch q"},"description":"touch q","permission_suggestions":[{"type":"setMode"}],"blocked_path":"/w/q","tool_use_id":"toolu_p"}"#;

    #[test]
    fn the_context_is_everything_else_the_cli_gave() {
        let ask = Asks::default().tool("q1", &serde_json::from_str(REQUEST).unwrap());
        assert_eq!((ask.kind, &*ask.correlation_id, &*ask.name), (AskKind::Permission, "toolu_p", "Bash"));
        assert_eq!(ask.input.get(), r#"{"command":"touch q"}"#);
        let names: Vec<_> = ask.context.iter().map(|(name, _)| &**name).collect();
        assert_eq!(
            names,
            [
                "display_name",
                "description",
                "permission_suggestions",
                "blocked_path",
                "tool_use_id",
                "suggestions"
            ]
        );
    }

    #[test]
    fn a_prompt_is_settled_or_withdrawn_once() {
        let mut asks = Asks::default();
        let request = serde_json::from_str(REQUEST).unwrap();
        asks.tool("q1", &request);
        assert_eq!(asks.tool("q2", &request).correlation_id, "q2", "the call's id is taken");
        assert_eq!(asks.withdraw("q1").as_deref(), Some("toolu_p"));
        assert!(asks.settle("toolu_p").is_none() && asks.withdraw("q1").is_none());
        assert_eq!(asks.settle("q2").unwrap().request_id, "q2");
    }
}
