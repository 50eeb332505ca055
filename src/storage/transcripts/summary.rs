//! A session's summary, updated on each append: its title, first prompt and creation time, among others.
//!
//! The data has the format of the SDK's `fold_session_summary`, so that either can continue the other's.

use std::collections::HashMap;

use serde_json::{Map, Value, value::RawValue};

use super::{Entry, plain::plain, timestamp::epoch_ms};

/// Maximum length of the first prompt, in characters.
const MAX_PROMPT: usize = 200;

/// Members whose last value counts: the name in an entry, and the name in the summary.
const LAST_WINS: [(&str, &str); 5] = [
    ("customTitle", "custom_title"),
    ("aiTitle", "ai_title"),
    ("lastPrompt", "last_prompt"),
    ("summary", "summary_hint"),
    ("gitBranch", "git_branch"),
];

/// Folds entries that were appended to a main transcript into the summary's data.
pub(super) fn fold<'a>(data: &mut Map<String, Value>, entries: impl IntoIterator<Item = &'a Entry>) {
    for entry in entries {
        let json = plain(entry.json().get());
        if let Ok(members) = serde_json::from_str(&json) {
            fold_one(data, &Members(members));
        }
    }
}

/// The summary's data after these entries.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(super) fn folded<'a>(
    mut data: Map<String, Value>,
    entries: impl IntoIterator<Item = &'a Entry>,
) -> Map<String, Value> {
    fold(&mut data, entries);
    data
}

/// An entry's members, decoded on demand.
struct Members<'a>(HashMap<String, &'a RawValue>);

impl Members<'_> {
    fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.0.get(name)?.get()).ok()
    }

    fn is_true(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| value.get() == "true")
    }

    fn is_type(&self, kind: &str) -> bool {
        self.text("type").is_some_and(|is| is == kind)
    }

    /// The content blocks of the message; a plain text counts as one block.
    fn content(&self) -> Vec<Value> {
        let mut message: Option<Value> =
            self.0.get("message").and_then(|raw| serde_json::from_str(raw.get()).ok());
        match message.as_mut().and_then(|message| message.get_mut("content")).map(Value::take) {
            Some(Value::Array(blocks)) => blocks,
            Some(Value::String(text)) => vec![serde_json::json!({"type": "text", "text": text})],
            _ => Vec::new(),
        }
    }
}

fn fold_one(data: &mut Map<String, Value>, entry: &Members<'_>) {
    if !data.contains_key("is_sidechain") {
        data.insert("is_sidechain".into(), entry.is_true("isSidechain").into());
    }
    if !data.contains_key("created_at")
        && let Some(ms) = entry.text("timestamp").and_then(|text| epoch_ms(&text))
    {
        data.insert("created_at".into(), ms.into());
    }
    if !data.contains_key("cwd")
        && let Some(cwd) = entry.text("cwd").filter(|cwd| !cwd.is_empty())
    {
        data.insert("cwd".into(), cwd.into());
    }
    fold_first_prompt(data, entry);
    for (from, to) in LAST_WINS {
        if let Some(text) = entry.text(from) {
            data.insert(to.into(), text.into());
        }
    }
    if entry.is_type("tag") {
        match entry.text("tag").filter(|tag| !tag.is_empty()) {
            Some(tag) => data.insert("tag".into(), tag.into()),
            None => data.remove("tag"),
        };
    }
}

/// Records the first prompt that a person wrote, and the first command as a fallback.
fn fold_first_prompt(data: &mut Map<String, Value>, entry: &Members<'_>) {
    let locked = data.get("first_prompt_locked").is_some_and(|locked| *locked == true);
    if locked || !entry.is_type("user") || entry.is_true("isMeta") || entry.is_true("isCompactSummary") {
        return;
    }
    let content = entry.content();
    if content.iter().any(|block| block["type"] == "tool_result") {
        return;
    }
    let texts =
        content.iter().filter(|block| block["type"] == "text").filter_map(|block| block["text"].as_str());
    for text in texts {
        let text = text.replace('\n', " ");
        let text = text.trim_matches(is_space);
        if text.is_empty() {
            continue;
        }
        if let Some(command) = command(text) {
            if data.get("command_fallback").is_none_or(|before| *before == "") {
                data.insert("command_fallback".into(), command.into());
            }
            continue;
        }
        if !is_automatic(text) {
            data.insert("first_prompt".into(), shortened(text).into());
            data.insert("first_prompt_locked".into(), true.into());
            return;
        }
    }
}

fn command(text: &str) -> Option<&str> {
    let (_, after) = text.split_once("<command-name>")?;
    Some(after.split_once("</command-name>")?.0)
}

/// Whether the CLI or an editor wrote the text in the user's name.
fn is_automatic(text: &str) -> bool {
    let within = |from, to| text.starts_with(from) && text.ends_with(to);
    ["<local-command-stdout>", "<session-start-hook>", "<tick>", "<goal>"]
        .iter()
        .any(|tag| text.starts_with(tag))
        || text.strip_prefix("[Request interrupted by user").is_some_and(|rest| rest.contains(']'))
        || within("<ide_opened_file>", "</ide_opened_file>")
        || within("<ide_selection>", "</ide_selection>")
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_PROMPT) {
        Some((end, _)) => format!("{}…", text[..end].trim_end_matches(is_space)),
        None => text.to_owned(),
    }
}

/// Python also counts the four ASCII separators as whitespace.
fn is_space(char: char) -> bool {
    char.is_whitespace() || ('\x1c'..='\x1f').contains(&char)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn folded(entries: impl IntoIterator<Item = Value>) -> Value {
        let entries: Vec<Entry> =
            entries.into_iter().map(|entry| entry.to_string().parse().unwrap()).collect();
        let mut data = Map::new();
        fold(&mut data, &entries);
        // Folding the entries one at a time gives the same summary as folding them at once.
        let mut stepwise = Map::new();
        for entry in &entries {
            fold(&mut stepwise, [entry]);
        }
        assert_eq!(stepwise, data);
        data.into()
    }

    fn says(content: impl Into<Value>) -> Value {
        json!({"type": "user", "message": {"content": content.into()}})
    }

    #[test]
    fn the_first_of_some_and_the_last_of_others() {
        let data = folded([
            json!({"type": "x", "timestamp": "soon", "cwd": "", "isSidechain": 1}),
            json!({"type": "x", "timestamp": "2024-01-01T00:00:00.000Z", "cwd": "/a", "isSidechain": true,
                   "customTitle": "one", "aiTitle": "a", "summary": "s", "gitBranch": "main"}),
            json!({"type": "x", "timestamp": "2025-01-01T00:00:00.000Z", "cwd": "/b",
                   "customTitle": "two", "lastPrompt": "", "gitBranch": null}),
        ]);
        assert_eq!(
            data,
            json!({"is_sidechain": false, "created_at": 1_704_067_200_000_i64, "cwd": "/a", "custom_title": "two",
                   "ai_title": "a", "summary_hint": "s", "git_branch": "main", "last_prompt": ""})
        );
    }

    #[test]
    fn the_first_prompt_is_what_a_person_wrote() {
        let data = folded([
            json!({"type": "assistant", "message": {"content": "no"}}),
            json!({"type": "user", "message": "no"}),
            json!({"type": "user", "isMeta": true, "message": {"content": "no"}}),
            json!({"type": "user", "isCompactSummary": true, "message": {"content": "no"}}),
            says(json!([{"type": "text", "text": "no"}, {"type": "tool_result"}])),
            says("<local-command-stdout>no"),
            says("[Request interrupted by user for tool use]"),
            says(" <ide_opened_file>no</ide_opened_file>\n"),
            says("<command-name>/clear</command-name> now"),
            says("<command-name>/later</command-name>"),
            says(
                json!([{"type": "image"}, {"type": "text", "text": "  \n"}, {"type": "text", "text": "one\ntwo "}]),
            ),
            says("later"),
        ]);
        assert_eq!(
            data,
            json!({"is_sidechain": false, "command_fallback": "/clear", "first_prompt": "one two",
                   "first_prompt_locked": true})
        );
    }

    #[test]
    fn a_long_prompt_is_cut_between_characters() {
        let data = folded([says(format!("{} {}", "ä".repeat(199), "b".repeat(50)))]);
        assert_eq!(data["first_prompt"], format!("{}…", "ä".repeat(199)));
        let data = folded([says("ä".repeat(200))]);
        assert_eq!(data["first_prompt"], "ä".repeat(200));
    }

    #[test]
    fn an_empty_tag_takes_it_away() {
        let tag = |tag: Value| json!({"type": "tag", "tag": tag});
        assert_eq!(folded([tag("a".into())])["tag"], "a");
        assert_eq!(folded([tag("a".into()), tag("".into())]).get("tag"), None);
        assert_eq!(folded([tag("a".into()), json!({"type": "tag"})]).get("tag"), None);
    }

    #[test]
    fn a_prompt_that_is_no_unicode_is_noted_as_far_as_it_is() {
        let entry: Entry = r#"{"type":"user","message":{"content":"a\ud83d\u0000"}}"#.parse().unwrap();
        let mut data = Map::new();
        fold(&mut data, [&entry]);
        assert_eq!(data["first_prompt"], "a\u{fffd}\u{fffd}");
    }
}
