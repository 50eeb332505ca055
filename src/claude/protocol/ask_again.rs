//! Prompts of an earlier process of the session that this one has to ask again.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json, value::RawValue};

use super::wire::Members;
use crate::proto::{AgentEvent, Decision, TurnEnd};

/// The id of our own hook.
const HOOK: &str = "agent-webkit-ask-again";

/// The prompts that a resumed CLI asks again, and the answers that came before.
#[derive(Debug, Default)]
pub(crate) struct AskAgain {
    /// The tool calls of the prompts.
    calls: HashSet<String>,
    /// Those that were not asked again yet.
    waiting: HashSet<String>,
    decided: HashMap<String, Decision>,
}

impl AskAgain {
    pub(crate) fn new(calls: impl IntoIterator<Item = String>) -> Self {
        let calls: HashSet<String> = calls.into_iter().collect();
        Self { waiting: calls.clone(), calls, decided: HashMap::new() }
    }

    /// Whether prompts are left that were not asked again.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Adds a hook to those of the operator, for a process that has to ask again. Without it the CLI would not
    /// ask if a rule or the mode allowed the call by now, and run it with the input that a client may have edited.
    pub(crate) fn hooks(&self, operators: Option<&RawValue>) -> Option<Box<RawValue>> {
        if self.calls.is_empty() {
            return operators.map(ToOwned::to_owned);
        }
        let operators = operators.and_then(|hooks| serde_json::from_str(hooks.get()).ok());
        let mut hooks: Map<String, Value> = operators.unwrap_or_default();
        let before_tools = hooks.entry("PreToolUse").or_insert_with(|| json!([]));
        if let Some(matchers) = before_tools.as_array_mut() {
            matchers.push(json!({"hookCallbackIds": [HOOK]}));
        }
        serde_json::value::to_raw_value(&hooks).ok()
    }

    /// Whether a `hook_callback` request is for our own hook.
    pub(crate) fn is_own(&self, request: &Members<'_>) -> bool {
        request.text("callback_id").is_some_and(|id| id == HOOK)
    }

    /// The answer of our hook: the calls of the prompts have to be asked for.
    pub(crate) fn answer(&self, request: &Members<'_>) -> Box<RawValue> {
        let answer = match request.text("tool_use_id") {
            Some(call) if self.calls.contains(&*call) => {
                json!({"hookSpecificOutput": {"hookEventName": "PreToolUse", "permissionDecision": "ask"}})
            }
            _ => json!({}),
        };
        serde_json::value::to_raw_value(&answer).expect("it is JSON")
    }

    /// Keeps a decision until its prompt is asked again. Returns whether it will be.
    pub(crate) fn decide(&mut self, call: &str, decision: &Decision) -> bool {
        let waits = self.waiting.contains(call);
        if waits {
            self.decided.insert(call.to_owned(), decision.clone());
        }
        waits
    }

    /// Whether an earlier process has asked this: clients know the prompt.
    pub(crate) fn has_asked(&self, call: &str) -> bool {
        self.calls.contains(call)
    }

    /// Notes that a prompt is asked. Returns its decision, if there is one already.
    pub(crate) fn asked(&mut self, call: &str) -> Option<Decision> {
        self.waiting.remove(call);
        self.decided.remove(call)
    }

    /// Ends the prompts that were not asked again, and the turn that waits for them.
    pub(crate) fn give_up(&mut self) -> Vec<AgentEvent> {
        let lost = std::mem::take(&mut self.waiting);
        self.decided.clear();
        if lost.is_empty() {
            return Vec::new();
        }
        let withdrawn = lost.into_iter().map(|correlation_id| AgentEvent::Withdrawn { correlation_id });
        let error = AgentEvent::Error {
            code: "prompt_lost".to_owned(),
            message: "The agent was restarted and could not ask again; the turn is lost.".to_owned(),
        };
        let end = AgentEvent::TurnEnded(TurnEnd {
            subtype: "error_during_execution".to_owned(),
            turn_cost_usd: None,
            process_cost_usd: None,
            unprompted: false,
            extra: vec![("is_error".to_owned(), serde_json::value::to_raw_value(&true).expect("it is JSON"))],
        });
        withdrawn.chain([error, end]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deny() -> Decision {
        Decision::Deny { message: None, interrupt: false }
    }

    #[test]
    fn a_decision_waits_for_its_prompt() {
        let mut again = AskAgain::new(["a".to_owned(), "b".to_owned()]);
        assert!(again.decide("a", &deny()) && !again.decide("c", &deny()));
        assert!(matches!(again.asked("a"), Some(Decision::Deny { .. })));
        assert!(again.asked("b").is_none() && !again.is_waiting());
        assert!(!again.decide("b", &deny()), "it is open and can be answered itself");
        assert!(again.give_up().is_empty());
    }

    #[test]
    fn what_is_not_asked_again_ends_with_its_turn() {
        let mut again = AskAgain::new(["a".to_owned()]);
        let ended = again.give_up();
        assert!(matches!(&ended[0], AgentEvent::Withdrawn { correlation_id } if correlation_id == "a"));
        assert!(matches!(ended[2], AgentEvent::TurnEnded(_)));
        assert!(again.give_up().is_empty());
    }

    #[test]
    fn our_hook_stands_beside_the_operators() {
        let operators =
            RawValue::from_string(r#"{"PreToolUse":[{"matcher":"Bash","hookCallbackIds":["h"]}]}"#.into());
        let operators = operators.unwrap();
        assert_eq!(AskAgain::default().hooks(Some(&operators)).unwrap().get(), operators.get());
        let again = AskAgain::new(["a".to_owned()]);
        let hooks: Value = serde_json::from_str(again.hooks(Some(&operators)).unwrap().get()).unwrap();
        assert_eq!(hooks["PreToolUse"][0]["hookCallbackIds"][0], "h");
        assert_eq!(hooks["PreToolUse"][1]["hookCallbackIds"][0], HOOK);
        let asked = |call: &str| {
            let request = format!(r#"{{"callback_id":"{HOOK}","tool_use_id":"{call}"}}"#);
            let request: Members<'_> = serde_json::from_str(&request).unwrap();
            assert!(again.is_own(&request));
            again.answer(&request).get().contains("ask")
        };
        assert!(asked("a") && !asked("b"));
    }
}
