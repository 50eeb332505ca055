//! The open prompts, and what a line of input answers.

use std::collections::VecDeque;

use agent_webkit::proto::client::{Chosen, ClientMessage, ElicitationAction, Members, Reply, ServerEvent};
use serde_json::Value;

use super::screen::short;

/// The open prompts, oldest first. The first is the one that a line answers.
#[derive(Debug, Default)]
pub(super) struct Prompts {
    open: VecDeque<Prompt>,
}

#[derive(Debug, PartialEq)]
struct Prompt {
    id: String,
    kind: Kind,
    /// Whether the next line is another input for the tool.
    editing: bool,
    /// The answers so far, of a prompt with several questions.
    chosen: Vec<Chosen>,
}

#[derive(Debug, PartialEq)]
enum Kind {
    Permission { tool: String, input: Value },
    Hook { event: String, input: Value },
    Questions(Vec<Value>),
    Elicitation { server: String, message: String },
}

/// What a line of input does to the first prompt.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// It is answered.
    Answer(ClientMessage),
    /// It is asked again, or its next question.
    Ask(String),
}

impl Prompts {
    /// Takes what an event does to the prompts.
    pub(super) fn take(&mut self, event: &ServerEvent) {
        if let ServerEvent::PromptResolved(resolved) = event {
            self.open.retain(|prompt| prompt.id != resolved.correlation_id);
        }
        self.open.extend(prompt(event));
    }

    /// Replaces the prompts by the `pending` ones of the session's state. One that is being answered stays as it is.
    pub(super) fn set(&mut self, pending: &[Value]) {
        let mut known = std::mem::take(&mut self.open);
        for pending in pending {
            let name = pending["type"].as_str().unwrap_or_default();
            let Some(read) = ServerEvent::parse(name, &pending.to_string()).ok().as_ref().and_then(prompt)
            else {
                continue;
            };
            let at = known.iter().position(|prompt| prompt.id == read.id);
            self.open.push_back(at.and_then(|at| known.remove(at)).unwrap_or(read));
        }
    }

    /// The first prompt's id.
    pub(super) fn first(&self) -> Option<&str> {
        self.open.front().map(|prompt| prompt.id.as_str())
    }

    /// The text that asks the first prompt.
    pub(super) fn question(&self) -> Option<String> {
        self.open.front().map(Prompt::question)
    }

    /// Takes a line of input as an answer to the first prompt; `None` if there is none.
    pub(super) fn answer(&mut self, line: &str) -> Option<Step> {
        let step = self.open.front_mut()?.answer(line.trim());
        if let Step::Answer(_) = step {
            self.open.pop_front();
        }
        Some(step)
    }
}

fn prompt(event: &ServerEvent) -> Option<Prompt> {
    let (id, kind) = match event {
        ServerEvent::PermissionRequest(it) => {
            (&it.correlation_id, Kind::Permission { tool: it.tool_name.clone(), input: it.input.clone() })
        }
        ServerEvent::HookDecisionRequest(it) => {
            (&it.correlation_id, Kind::Hook { event: it.hook_event.clone(), input: it.hook_input.clone() })
        }
        ServerEvent::AskUserQuestion(it) => {
            let questions = it.questions["questions"].as_array().cloned().unwrap_or_default();
            (&it.correlation_id, Kind::Questions(questions))
        }
        ServerEvent::ElicitationRequest(it) => {
            let message = match &it.url {
                Some(url) => format!("{} ({url})", it.message),
                None => it.message.clone(),
            };
            (&it.correlation_id, Kind::Elicitation { server: it.server_name.clone(), message })
        }
        _ => return None,
    };
    Some(Prompt { id: id.clone(), kind, editing: false, chosen: Vec::new() })
}

impl Prompt {
    fn question(&self) -> String {
        match &self.kind {
            Kind::Permission { input, .. } if self.editing => {
                format!("The input is {input}. Enter another one, as JSON:")
            }
            Kind::Permission { tool, input } => {
                format!(
                    "? {tool} asks for permission: {}\n  y: allow, n: deny (n REASON says why), e: edit the input",
                    short(&input.to_string())
                )
            }
            Kind::Hook { event, input } => {
                format!("? A hook asks ({event}): {}\n  y: allow, n: deny", short(&input.to_string()))
            }
            Kind::Questions(questions) => questions.get(self.chosen.len()).map_or_else(String::new, asked),
            Kind::Elicitation { server, message } => {
                format!(
                    "? {server} asks: {message}\n  a JSON object answers; d: decline, c: cancel; an empty line accepts without an answer"
                )
            }
        }
    }

    fn answer(&mut self, line: &str) -> Step {
        match &self.kind {
            Kind::Permission { .. } => self.permission(line),
            Kind::Hook { .. } => self.decision(line),
            Kind::Questions(questions) => {
                if let Some(question) = questions.get(self.chosen.len()) {
                    match chosen(question, line) {
                        Some(chosen) => self.chosen.push(chosen),
                        None => return Step::Ask(self.question()),
                    }
                }
                if self.chosen.len() < questions.len() {
                    return Step::Ask(self.question());
                }
                let answers = std::mem::take(&mut self.chosen);
                Step::Answer(ClientMessage::QuestionResponse { correlation_id: self.id.clone(), answers })
            }
            Kind::Elicitation { .. } => {
                let (action, content) = match line {
                    "d" => (ElicitationAction::Decline, None),
                    "c" => (ElicitationAction::Cancel, None),
                    "" => (ElicitationAction::Accept, None),
                    json => match serde_json::from_str::<Members>(json) {
                        Ok(content) => (ElicitationAction::Accept, Some(content.into())),
                        Err(error) => {
                            return Step::Ask(format!(
                                "This is not a JSON object: {error}\n{}",
                                self.question()
                            ));
                        }
                    },
                };
                let correlation_id = self.id.clone();
                Step::Answer(ClientMessage::ElicitationResponse { correlation_id, action, content })
            }
        }
    }

    fn permission(&mut self, line: &str) -> Step {
        if self.editing && !line.is_empty() {
            return match serde_json::from_str::<Members>(line) {
                Ok(input) => {
                    let reply = Reply::Allow { updated_input: Some(input), updated_permissions: None };
                    Step::Answer(ClientMessage::PermissionResponse { correlation_id: self.id.clone(), reply })
                }
                Err(error) => Step::Ask(format!("This is not a JSON object: {error}\n{}", self.question())),
            };
        }
        // An empty line goes back from editing to the choice.
        self.editing = line == "e";
        if self.editing { Step::Ask(self.question()) } else { self.decision(line) }
    }

    fn decision(&self, line: &str) -> Step {
        let (word, reason) = line.split_once(' ').unwrap_or((line, ""));
        match word.to_ascii_lowercase().as_str() {
            "y" | "yes" => Step::Answer(ClientMessage::allow(&self.id)),
            "n" | "no" => {
                let reason = Some(reason.trim().to_owned()).filter(|reason| !reason.is_empty());
                let reply = Reply::Deny { message: reason, interrupt: false };
                Step::Answer(ClientMessage::PermissionResponse { correlation_id: self.id.clone(), reply })
            }
            _ => Step::Ask(self.question()),
        }
    }
}

fn asked(question: &Value) -> String {
    let mut text = format!("? {}", question["question"].as_str().unwrap_or_default());
    for (number, option) in (1..).zip(options(question)) {
        text.push_str(&format!("\n  {number}: {}", option["label"].as_str().unwrap_or_default()));
        if let Some(description) = option["description"].as_str().filter(|text| !text.is_empty()) {
            text.push_str(&format!(" ({description})"));
        }
    }
    let several =
        if question["multiSelect"] == true { "numbers with commas between them" } else { "a number" };
    text + &format!("\n  {several}, or an answer in your own words")
}

/// The options that a line chooses by their numbers, or the line itself.
fn chosen(question: &Value, line: &str) -> Option<Chosen> {
    if line.is_empty() {
        return None;
    }
    let numbers: Option<Vec<usize>> = line.split(',').map(|number| number.trim().parse().ok()).collect();
    let selected_options = match numbers {
        Some(numbers) if numbers.len() == 1 || question["multiSelect"] == true => {
            let label = |number: usize| {
                options(question).get(number.checked_sub(1)?)?["label"].as_str().map(str::to_owned)
            };
            numbers.into_iter().map(label).collect::<Option<Vec<_>>>()?
        }
        _ => vec![line.to_owned()],
    };
    Some(Chosen { question: question["question"].as_str()?.to_owned(), selected_options })
}

fn options(question: &Value) -> &[Value] {
    question["options"].as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with(name: &str, data: &Value) -> Prompts {
        let mut prompts = Prompts::default();
        prompts.take(&ServerEvent::parse(name, &data.to_string()).unwrap());
        prompts
    }

    fn permission() -> Value {
        json!({"correlation_id": "t1", "tool_name": "Bash", "input": {"command": "rm a"}, "context": {}})
    }

    fn sent(prompts: &mut Prompts, line: &str) -> Value {
        match prompts.answer(line) {
            Some(Step::Answer(message)) => serde_json::to_value(message).unwrap(),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn a_permission_is_given_refused_or_edited() {
        let response = |more: &Value| {
            let mut response = json!({"type": "permission_response", "correlation_id": "t1"});
            response.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            response
        };
        for (lines, wanted) in [
            (&["y"][..], json!({"behavior": "allow"})),
            (&["what?", "", "YES"], json!({"behavior": "allow"})),
            (&["n"], json!({"behavior": "deny"})),
            (&["n not this one "], json!({"behavior": "deny", "message": "not this one"})),
            (
                &["e", "[1]", "{\"command\": \"ls\"}"],
                json!({"behavior": "allow", "updated_input": {"command": "ls"}}),
            ),
            (&["e", "", "n"], json!({"behavior": "deny"})),
        ] {
            let mut prompts = with("permission_request", &permission());
            let (last, others) = lines.split_last().unwrap();
            for line in others {
                assert!(matches!(prompts.answer(line), Some(Step::Ask(_))), "{line}");
            }
            assert_eq!(sent(&mut prompts, last), response(&wanted));
            assert_eq!(prompts.answer("y"), None, "it is answered");
        }
    }

    #[test]
    fn questions_are_asked_one_after_the_other() {
        let options = json!([{"label": "Red", "description": "r"}, {"label": "Blue"}]);
        let questions = json!({"correlation_id": "q", "questions": {"questions": [
            {"question": "Which?", "multiSelect": false, "options": options},
            {"question": "Which ones?", "multiSelect": true, "options": options},
            {"question": "Why?", "options": options},
        ]}});
        let mut prompts = with("ask_user_question", &questions);
        assert_eq!(prompts.question().unwrap().lines().nth(1), Some("  1: Red (r)"));
        assert!(matches!(prompts.answer("3"), Some(Step::Ask(again)) if again.starts_with("? Which?")));
        assert!(matches!(prompts.answer("2"), Some(Step::Ask(next)) if next.starts_with("? Which ones?")));
        assert!(matches!(prompts.answer("1, 2"), Some(Step::Ask(next)) if next.starts_with("? Why?")));
        let answers = json!([
            {"question": "Which?", "selectedOptions": ["Blue"]},
            {"question": "Which ones?", "selectedOptions": ["Red", "Blue"]},
            {"question": "Why?", "selectedOptions": ["1, because"]},
        ]);
        let wanted = json!({"type": "question_response", "correlation_id": "q", "answers": answers});
        assert_eq!(sent(&mut prompts, "1, because"), wanted);
    }

    #[test]
    fn an_elicitation_is_answered_declined_or_cancelled() {
        let request = json!({"correlation_id": "e", "server_name": "s", "message": "Name?"});
        let mut prompts = with("elicitation_request", &request);
        assert!(matches!(prompts.answer("Ada"), Some(Step::Ask(_))));
        let answered = sent(&mut prompts, r#"{"name":"Ada"}"#);
        assert_eq!((&answered["action"], &answered["content"]["name"]), (&json!("accept"), &json!("Ada")));
        for (line, action) in [("d", "decline"), ("c", "cancel")] {
            assert_eq!(sent(&mut with("elicitation_request", &request), line)["action"], action);
        }
    }

    #[test]
    fn the_state_has_the_prompts_that_are_open() {
        let mut prompts = with("permission_request", &permission());
        prompts.answer("e");
        let mut pending = permission();
        pending["type"] = "permission_request".into();
        let mut other = pending.clone();
        other["correlation_id"] = "t2".into();
        prompts.set(&[pending, other]);
        assert!(prompts.open[0].editing, "what was begun goes on");
        let resolved = json!({"correlation_id": "t1", "kind": "permission", "outcome": "answered"});
        prompts.take(&ServerEvent::parse("prompt_resolved", &resolved.to_string()).unwrap());
        assert_eq!(prompts.first(), Some("t2"));
    }
}
