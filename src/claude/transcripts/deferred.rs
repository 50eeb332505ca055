//! Makes a resumed CLI ask again for a tool call that waits for an answer.
//!
//! Measured: a CLI that was killed while it asked does not ask again by itself; its call counts as interrupted.
//! But a hook that defers a call leaves an entry of type `hook_deferred_tool` in the transcript, and `--resume`
//! goes on with the newest such call that has no result: the CLI asks for it under the same id, runs it at most
//! once, and continues the turn. The CLI does not check who wrote the entry.
//!
//! It goes on with one call. Calls of the same message that were not asked for yet are left out of what the
//! model sees; it makes them again if it needs them.

use serde_json::{Map, Value, json};

use crate::{agent::SessionSpec, storage::transcripts::Entry};

/// The members of an entry that the next one repeats.
const REPEATED: [&str; 6] = ["userType", "entrypoint", "cwd", "sessionId", "version", "gitBranch"];

/// The tool calls for which a CLI has to ask again.
#[derive(Debug)]
pub(crate) struct Deferred {
    calls: Vec<String>,
    permission_mode: String,
}

impl Deferred {
    pub(crate) fn of(spec: &SessionSpec) -> Self {
        let permission_mode = spec.permission_mode.clone().unwrap_or_else(|| "default".to_owned());
        Self { calls: spec.open_prompts.clone(), permission_mode }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// The entries to append to this transcript.
    pub(crate) fn entries(&self, transcript: &[Entry]) -> Vec<Entry> {
        let entry = |call: &String| entry(transcript.iter(), call, &self.permission_mode);
        self.calls.iter().filter_map(entry).collect()
    }
}

/// The entry after which a CLI asks again for this tool call; `None` if none of these entries has made it.
fn entry<'a>(
    transcript: impl DoubleEndedIterator<Item = &'a Entry>,
    tool_use_id: &str,
    permission_mode: &str,
) -> Option<Entry> {
    let (message, call) = transcript.rev().find_map(|entry| call_in(entry, tool_use_id))?;
    let mut deferred = json!({
        "parentUuid": message.get("uuid")?,
        "isSidechain": false,
        "type": "attachment",
        "attachment": {
            "type": "hook_deferred_tool",
            "toolUseID": tool_use_id,
            "toolName": call.get("name")?,
            "toolInput": call.get("input")?,
            "hookName": "settings",
            "hookEvent": "PreToolUse",
            "permissionMode": permission_mode,
        },
        "uuid": uuid::Uuid::new_v4().to_string(),
    });
    let members = deferred.as_object_mut().expect("it was made as one");
    for name in REPEATED.iter().chain(&["timestamp"]) {
        members.extend(message.get(*name).map(|value| ((*name).to_owned(), value.clone())));
    }
    serde_json::to_string(&deferred).ok()?.parse().ok()
}

/// The entry's members and the call, if it is a message that makes this call.
fn call_in(entry: &Entry, tool_use_id: &str) -> Option<(Map<String, Value>, Value)> {
    let json = entry.json().get();
    if !json.contains(tool_use_id) {
        return None;
    }
    let members: Map<String, Value> = serde_json::from_str(json).ok()?;
    if members.get("type")? != "assistant" {
        return None;
    }
    let blocks = members.get("message")?.get("content")?.as_array()?;
    let call = blocks.iter().find(|block| block["type"] == "tool_use" && block["id"] == tool_use_id)?;
    let call = call.clone();
    Some((members, call))
}

/// The tool calls that an entry makes.
pub(crate) fn calls(entry: &Entry) -> Vec<String> {
    #[derive(serde::Deserialize)]
    struct Message {
        message: Content,
    }
    #[derive(serde::Deserialize)]
    struct Content {
        content: Vec<Value>,
    }
    let json = entry.json().get();
    if !json.contains("tool_use") {
        return Vec::new();
    }
    let Ok(Message { message }) = serde_json::from_str::<Message>(json) else { return Vec::new() };
    let calls = message.content.iter().filter(|block| block["type"] == "tool_use");
    calls.filter_map(|block| block["id"].as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transcript() -> Vec<Entry> {
        let call = r#"{"type":"assistant","uuid":"a","parentUuid":"u","sessionId":"s","cwd":"/w","version":"2",
            "timestamp":"t","message":{"id":"m","content":[{"type":"tool_use","id":"toolu_1","name":"Bash",
            "input":{"command":"ls"}}]}}"#;
        [r#"{"type":"user","uuid":"u","message":{"content":"say toolu_1"}}"#, call, r#"{"type":"mode"}"#]
            .map(|entry| entry.parse().unwrap())
            .into()
    }

    #[test]
    fn the_entry_names_the_call_and_follows_its_message() {
        let entries = transcript();
        let deferred = entry(entries.iter(), "toolu_1", "plan").unwrap();
        let deferred: Value = serde_json::from_str(deferred.json().get()).unwrap();
        assert_eq!(deferred["parentUuid"], "a");
        assert_eq!((&deferred["sessionId"], &deferred["timestamp"]), (&json!("s"), &json!("t")));
        let attachment = &deferred["attachment"];
        assert_eq!((&attachment["toolUseID"], &attachment["toolName"]), (&json!("toolu_1"), &json!("Bash")));
        assert_eq!(
            (&attachment["toolInput"]["command"], &attachment["permissionMode"]),
            (&json!("ls"), &json!("plan"))
        );
        assert!(entry(entries.iter(), "toolu_2", "default").is_none());
    }

    #[test]
    fn the_calls_of_an_entry_are_found() {
        let calls: Vec<_> = transcript().iter().flat_map(calls).collect();
        assert_eq!(calls, ["toolu_1"]);
    }
}
