//! What a device shows of an event.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::{layers::resume::Event, service::notices::Noticed, webhooks::EventKind};

/// Longest texts, in characters: what a phone shows, and less than a push may hold.
const TITLE: usize = 80;
const BODY: usize = 300;

/// Members of a tool's input that say most about it.
const TELLING: [&str; 8] =
    ["command", "file_path", "notebook_path", "url", "query", "pattern", "description", "prompt"];

/// A notification, as the page's service worker reads it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Notification {
    /// That of its message, the same in every attempt. Empty until there is one.
    #[serde(default)]
    pub(super) id: String,
    pub(super) kind: EventKind,
    /// Of two notifications with the same tag a device shows the later one. Also the topic of the push.
    pub(super) tag: String,
    pub(super) session_id: String,
    /// The prompt that it asks to answer, by its id.
    #[serde(default)]
    pub(super) correlation_id: Option<String>,
    session: Option<String>,
    title: String,
    body: String,
    /// The prompt of this tag is no longer open.
    settled: bool,
}

impl Notification {
    /// `None` for events that nobody is notified of.
    pub(super) fn about(event: &Event, of: &Noticed<'_>) -> Option<Self> {
        let settled = event.name == "prompt_resolved";
        let kind = if settled { EventKind::Prompts } else { EventKind::of(&event.name)? };
        let data: Map<String, Value> = serde_json::from_slice(&event.data).ok()?;
        let text = |name: &str| data.get(name).and_then(Value::as_str).unwrap_or_default();
        let (title, body) = match &*event.name {
            // A policy answers before anybody is asked.
            "prompt_resolved" if text("by") == "policy" => return None,
            "prompt_resolved" => resolved(text("outcome"), text("behavior")),
            "permission_request" => {
                (format!("Allow {}?", text("tool_name")), summary(data.get("input").unwrap_or(&Value::Null)))
            }
            "ask_user_question" => ("A question".to_owned(), question(&data)),
            "elicitation_request" => (format!("{} asks", text("server_name")), text("message").to_owned()),
            "hook_decision_request" => ("A hook asks".to_owned(), text("hook_event").to_owned()),
            "result" if text("subtype") == "success" => ("Done".to_owned(), text("result").to_owned()),
            "result" => ("Stopped".to_owned(), text("subtype").replace('_', " ")),
            _ => ("Something went wrong".to_owned(), text("message").to_owned()),
        };
        let about = if kind == EventKind::Prompts { text("correlation_id") } else { "" };
        Some(Self {
            id: String::new(),
            kind,
            tag: tag(of.id, kind, about),
            session_id: of.id.to_owned(),
            correlation_id: (!about.is_empty() && !settled).then(|| about.to_owned()),
            session: of.title.map(|title| shortened(title, TITLE)),
            title: shortened(&title, TITLE),
            body: shortened(&body, BODY),
            settled,
        })
    }

    pub(super) fn encode(&self) -> String {
        serde_json::to_string(self).expect("made of strings")
    }
}

/// One tag for each prompt, and for each session one for its results and one for its errors: 32 characters of base64url,
/// the longest topic.
fn tag(session_id: &str, kind: EventKind, about: &str) -> String {
    let named = serde_json::to_vec(&(session_id, kind, about)).expect("made of strings");
    BASE64_URL_SAFE_NO_PAD.encode(&Sha256::digest(named)[..24])
}

fn resolved(outcome: &str, behavior: &str) -> (String, String) {
    let title = match (outcome, behavior) {
        ("answered", "allow") => "Allowed",
        ("answered", "deny") => "Denied",
        ("answered", _) => "Answered",
        _ => "No longer asked",
    };
    (title.to_owned(), "There is nothing left to answer.".to_owned())
}

fn question(data: &Map<String, Value>) -> String {
    let first = data.get("questions").and_then(|questions| questions.pointer("/0/question"));
    first.and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn summary(input: &Value) -> String {
    let telling = TELLING.iter().find_map(|name| input.get(name)?.as_str());
    telling.map_or_else(|| input.to_string(), str::to_owned)
}

/// The text on one line of this length, without characters that could hide a part of it.
fn shortened(text: &str, longest: usize) -> String {
    let is_shown = |char: &char| {
        !char.is_control()
            && !matches!(char, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut shown: String = line.chars().filter(is_shown).take(longest + 1).collect();
    if let Some((at, _)) = shown.char_indices().nth(longest) {
        shown.truncate(at);
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;
    use crate::push::encrypt;

    fn about(name: &str, data: &Value) -> Option<Notification> {
        let of = Noticed { id: "s", owner: None, title: Some("Tidy"), cwd: Path::new("/w") };
        Notification::about(&Event::new(name.to_owned(), data.to_string()), &of)
    }

    #[test]
    fn each_event_says_what_it_is_about() {
        let questions = json!([{"question": "Which?"}]);
        for (name, data, title, body) in [
            (
                "permission_request",
                json!({"tool_name": "Bash", "input": {"command": "make", "x": 1}}),
                "Allow Bash?",
                "make",
            ),
            ("permission_request", json!({"tool_name": "T", "input": {"x": 1}}), "Allow T?", "{\"x\":1}"),
            ("ask_user_question", json!({"questions": questions}), "A question", "Which?"),
            ("elicitation_request", json!({"server_name": "db", "message": "Name?"}), "db asks", "Name?"),
            ("hook_decision_request", json!({"hook_event": "Stop"}), "A hook asks", "Stop"),
            ("result", json!({"subtype": "success", "result": "It\nis done."}), "Done", "It is done."),
            ("result", json!({"subtype": "error_max_turns"}), "Stopped", "error max turns"),
            (
                "error",
                json!({"code": "x", "message": "The agent was lost."}),
                "Something went wrong",
                "The agent was lost.",
            ),
            (
                "prompt_resolved",
                json!({"outcome": "answered", "behavior": "allow"}),
                "Allowed",
                "There is nothing left to answer.",
            ),
            (
                "prompt_resolved",
                json!({"outcome": "cancelled"}),
                "No longer asked",
                "There is nothing left to answer.",
            ),
        ] {
            let notification = about(name, &data).unwrap();
            assert_eq!((&*notification.title, &*notification.body), (title, body), "{data}");
            assert_eq!(notification.session.as_deref(), Some("Tidy"));
        }
        assert!(about("message_delta", &json!({})).is_none());
        assert!(about("prompt_resolved", &json!({"outcome": "answered", "by": "policy"})).is_none());
    }

    #[test]
    fn the_end_of_a_prompt_takes_its_place_and_nothing_elses() {
        let prompt = |id| json!({"correlation_id": id, "tool_name": "Bash", "input": {}});
        let asked = about("permission_request", &prompt("a")).unwrap();
        assert_eq!(asked.tag, about("prompt_resolved", &prompt("a")).unwrap().tag);
        assert_ne!(asked.tag, about("prompt_resolved", &prompt("b")).unwrap().tag);
        let result = about("result", &json!({"subtype": "success"})).unwrap();
        assert_ne!(result.tag, about("error", &json!({})).unwrap().tag);
        assert_eq!(asked.tag.len(), 32);
    }

    #[test]
    fn it_fits_into_a_push_and_hides_nothing() {
        let long = "\u{10ffff}\"".repeat(10_000);
        let data = json!({"tool_name": long, "input": {"command": long}});
        assert!(about("permission_request", &data).unwrap().encode().len() < encrypt::LONGEST);
        assert_eq!(shortened("rm \u{202e}x\u{200b}\n\n  -rf\u{0} /", 80), "rm x -rf /");
        assert_eq!(shortened("abc", 3), "abc");
        assert_eq!(shortened("abcd", 3), "abc…");
    }
}
