//! Decodes the CLI's frames about a turn: messages, tool results, results, tasks, statuses.

use std::collections::HashMap;

use serde_json::value::RawValue;

use super::wire::{Members, Text, elements, null};
use crate::{
    proto::{AgentEvent, AgentMessage, Extra, TurnEnd},
    storage::transcripts::Entry,
};

/// Members of the frame itself, which are not relayed.
const ENVELOPE: [&str; 4] = ["type", "subtype", "uuid", "session_id"];

/// Decodes an `assistant` frame: finished blocks of a message. `open` is the id of the message that is being
/// written, used if the frame names none.
pub(crate) fn assistant(frame: &Members<'_>, open: Option<&str>) -> Option<AgentEvent> {
    let message = Members::of(Some(frame.get("message")?));
    let id = message.text("id").map(Into::into).or_else(|| open.map(str::to_owned));
    let content = message.get("content");
    let blocks = match content.filter(|content| content.get().starts_with('"')) {
        Some(text) => text_block(text).into_iter().collect(),
        None => elements(content).into_iter().map(ToOwned::to_owned).collect(),
    };
    let mut extra = message.without(&["id", "role", "content"]);
    for name in ["aborted", "error"] {
        extra.extend(frame.get(name).map(|value| (name.to_owned(), value.to_owned())));
    }
    Some(AgentEvent::Message(AgentMessage {
        id: id.or_else(|| frame.text("uuid").map(Into::into))?,
        parent_tool_use_id: frame.text("parent_tool_use_id").map(Into::into),
        blocks,
        extra,
    }))
}

fn text_block(text: &RawValue) -> Option<Box<RawValue>> {
    RawValue::from_string(format!(r#"{{"type":"text","text":{}}}"#, text.get())).ok()
}

/// Decodes the tool results in a `user` frame. Its other blocks are our own messages and reminders.
pub(crate) fn tool_results(frame: &Members<'_>) -> impl Iterator<Item = AgentEvent> {
    let parent = frame.text("parent_tool_use_id").map(String::from);
    let blocks = elements(Members::of(frame.get("message")).get("content"));
    blocks.into_iter().filter_map(move |block| {
        let block = Members::of(Some(block));
        if block.text("type")? != "tool_result" {
            return None;
        }
        Some(AgentEvent::ToolResult {
            tool_use_id: block.text("tool_use_id")?.into(),
            parent_tool_use_id: parent.clone(),
            output: block.get("content").map_or_else(null, ToOwned::to_owned),
            is_error: block.read("is_error").unwrap_or(false),
        })
    })
}

/// Decodes a `result` frame, the end of a turn. `answers_us`: one of our messages was part of the turn.
pub(crate) fn result(frame: &Members<'_>, answers_us: bool) -> AgentEvent {
    AgentEvent::TurnEnded(TurnEnd {
        subtype: frame.text("subtype").map_or_else(|| "unknown".to_owned(), Into::into),
        turn_cost_usd: turn_cost(frame),
        process_cost_usd: frame.read("total_cost_usd"),
        unprompted: !answers_us && frame.get("origin").is_some(),
        extra: frame.without(&["type", "uuid", "subtype", "session_id", "total_cost_usd"]),
    })
}

/// Sums the cost of all models since the last result.
fn turn_cost(frame: &Members<'_>) -> Option<f64> {
    let models: HashMap<Text<'_>, &RawValue> = frame.read("model_usage_since_last_result")?;
    // Not `sum`: the sum of no floats is -0.0.
    models
        .into_values()
        .try_fold(0.0, |sum, usage| Some(sum + Members::of(Some(usage)).read::<f64>("costUSD")?))
}

/// Decodes the statuses of MCP servers from an array of `{name, status}`.
pub(crate) fn mcp_servers(servers: Option<&RawValue>) -> impl Iterator<Item = (String, String)> {
    elements(servers).into_iter().filter_map(|server| {
        let server = Members::of(Some(server));
        Some((server.text("name")?.into(), server.text("status")?.into()))
    })
}

/// Decodes the `system` frames that report what the agent is doing. Returns `None` for those that clients do
/// not need.
pub(crate) fn status(subtype: &str, frame: &Members<'_>) -> Option<AgentEvent> {
    let status = match subtype {
        "api_retry" => "retrying".to_owned(),
        "compact_boundary" => "compacted".to_owned(),
        // `requesting` comes with every model request; the deltas report the same.
        "status" => frame.text("status").filter(|status| status != "requesting")?.into(),
        _ => return None,
    };
    let extra = frame.without(&[&ENVELOPE[..], &["status"]].concat());
    Some(AgentEvent::Status { status, extra })
}

/// Entries that the CLI wrote to one of its transcripts.
#[derive(Debug)]
pub(crate) struct Mirrored {
    /// The path of the transcript file.
    pub(crate) path: String,
    /// The entries, in order.
    pub(crate) entries: Vec<Entry>,
}

/// Decodes a `transcript_mirror` frame.
pub(crate) fn mirrored(frame: &Members<'_>) -> Option<Mirrored> {
    let path = frame.text("filePath")?.into_owned();
    let entries = elements(frame.get("entries"));
    let entries = entries.into_iter().filter_map(|entry| Entry::new(entry.to_owned())).collect();
    Some(Mirrored { path, entries })
}

/// The background tasks that have not ended, each with its last status.
#[derive(Debug, Default)]
pub(crate) struct Tasks(HashMap<String, String>);

impl Tasks {
    /// Decodes a `system` frame whose subtype begins with `task_`. The CLI reports the end of a task twice:
    /// at once (`task_updated`), and later with a summary (`task_notification`).
    pub(crate) fn handle(&mut self, subtype: &str, frame: &Members<'_>) -> Option<AgentEvent> {
        let task_id: String = frame.text("task_id")?.into();
        let patch = Members::of(frame.get("patch"));
        let said = match subtype {
            "task_started" => Some("running".to_owned()),
            "task_updated" => patch.text("status").map(Into::into),
            "task_notification" => frame.text("status").map(Into::into),
            _ => None,
        };
        let known = self.0.remove(&task_id);
        let status = said.or(known)?;
        if subtype != "task_notification" {
            self.0.insert(task_id.clone(), status.clone());
        }
        let mut extra: Extra = frame.without(&[&ENVELOPE[..], &["task_id", "patch", "status"]].concat());
        extra.extend(patch.without(&["status"]));
        Some(AgentEvent::Task { task_id, status: Some(status), extra })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(json: &str) -> Members<'_> {
        serde_json::from_str(json).unwrap()
    }

    fn names(extra: &Extra) -> Vec<&str> {
        extra.iter().map(|(name, _)| &**name).collect()
    }

    #[test]
    fn a_message_keeps_its_blocks_raw_and_its_members_in_order() {
        let frame = members(
            r#"{"type":"assistant","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"a", "n":1e400}],"stop_reason":null,"usage":{"input_tokens":5}},"parent_tool_use_id":"toolu_s","uuid":"u","aborted":true}"#,
        );
        let Some(AgentEvent::Message(message)) = assistant(&frame, None) else { panic!("no message") };
        assert_eq!(message.id, "msg_1");
        assert_eq!(message.parent_tool_use_id.as_deref(), Some("toolu_s"));
        assert_eq!(message.blocks[0].get(), r#"{"type":"text","text":"a", "n":1e400}"#);
        assert_eq!(names(&message.extra), ["type", "model", "stop_reason", "usage", "aborted"]);
    }

    #[test]
    fn a_message_without_id_is_the_open_one_or_named_by_its_frame() {
        let frame = members(r#"{"message":{"content":"plain"},"uuid":"u"}"#);
        for (open, id) in [(Some("msg_open"), "msg_open"), (None, "u")] {
            let Some(AgentEvent::Message(message)) = assistant(&frame, open) else { panic!("no message") };
            assert_eq!(message.id, id);
            assert_eq!(message.blocks[0].get(), r#"{"type":"text","text":"plain"}"#);
        }
    }

    #[test]
    fn only_tool_results_of_a_user_frame_are_told() {
        let frame = members(
            r#"{"type":"user","message":{"role":"user","content":[{"type":"text","text":"x"},{"tool_use_id":"t1","type":"tool_result","content":"out","is_error":true},{"type":"tool_result","tool_use_id":"t2"}]},"parent_tool_use_id":null}"#,
        );
        let told: Vec<_> = tool_results(&frame).collect();
        let [
            AgentEvent::ToolResult { output, is_error: true, .. },
            AgentEvent::ToolResult { output: none, is_error: false, .. },
        ] = &told[..]
        else {
            panic!("{told:?}")
        };
        assert_eq!((output.get(), none.get()), (r#""out""#, "null"));
        assert_eq!(tool_results(&members(r#"{"message":{"content":"hi"},"isReplay":true}"#)).count(), 0);
    }

    #[test]
    fn a_turn_is_unprompted_only_if_none_of_our_messages_was_part_of_it() {
        let own = r#"{"type":"result","subtype":"success","total_cost_usd":0.5,"is_error":false,"session_id":"s","uuid":"u"}"#;
        let other = r#"{"type":"result","subtype":"success","origin":{"kind":"task-notification"}}"#;
        for (json, answers_us, expected) in [(own, false, false), (other, false, true), (other, true, false)]
        {
            let AgentEvent::TurnEnded(end) = result(&members(json), answers_us) else { panic!("no end") };
            assert_eq!(end.unprompted, expected);
        }
        let AgentEvent::TurnEnded(end) = result(&members(own), true) else { panic!("no end") };
        assert_eq!((end.process_cost_usd, end.turn_cost_usd), (Some(0.5), None));
        assert_eq!(names(&end.extra), ["is_error"]);
    }

    #[test]
    fn a_task_keeps_its_status_until_another_is_told() {
        let mut tasks = Tasks::default();
        let mut tell = |subtype: &str, json: &str| match tasks.handle(subtype, &members(json)) {
            Some(AgentEvent::Task { status, extra, .. }) => {
                format!("{}: {}", status.unwrap(), names(&extra).join(","))
            }
            other => format!("{other:?}"),
        };
        let told = [
            ("task_started", r#"{"type":"system","task_id":"b","tool_use_id":"t","description":"sleep"}"#),
            ("task_progress", r#"{"task_id":"b","last_tool_name":"Bash"}"#),
            ("task_updated", r#"{"task_id":"b","patch":{"status":"completed","end_time":1}}"#),
            ("task_updated", r#"{"task_id":"b","patch":{"notified":true}}"#),
            ("task_notification", r#"{"task_id":"b","status":"completed","summary":"done"}"#),
            ("task_progress", r#"{"task_id":"b"}"#),
            ("task_notification", r#"{"task_id":"unannounced","status":"stopped"}"#),
        ]
        .map(|(subtype, json)| tell(subtype, json));
        assert_eq!(
            told,
            [
                "running: tool_use_id,description",
                "running: last_tool_name",
                "completed: end_time",
                "completed: notified",
                "completed: summary",
                "None",
                "stopped: ",
            ]
        );
    }

    #[test]
    fn a_turn_costs_what_its_models_cost() {
        let frame = members(
            r#"{"subtype":"success","total_cost_usd":1.0,"model_usage_since_last_result":{"a":{"costUSD":0.25},"b":{"costUSD":0.5}}}"#,
        );
        let AgentEvent::TurnEnded(end) = result(&frame, true) else { panic!("no end") };
        assert_eq!(end.turn_cost_usd, Some(0.75));
        let free = members(r#"{"subtype":"success","model_usage_since_last_result":{}}"#);
        let AgentEvent::TurnEnded(end) = result(&free, true) else { panic!("no end") };
        assert!(end.turn_cost_usd.is_some_and(f64::is_sign_positive));
    }

    #[test]
    fn a_retry_is_a_status_and_a_request_is_none() {
        let retry =
            members(r#"{"type":"system","subtype":"api_retry","attempt":1,"error_status":529,"uuid":"u"}"#);
        let Some(AgentEvent::Status { status, extra }) = status("api_retry", &retry) else {
            panic!("no status")
        };
        assert_eq!((&*status, names(&extra)), ("retrying", vec!["attempt", "error_status"]));
        assert!(super::status("status", &members(r#"{"status":"requesting"}"#)).is_none());
        assert!(super::status("status", &members(r#"{"status":null,"permissionMode":"plan"}"#)).is_none());
        assert!(super::status("status", &members(r#"{"status":"compacting"}"#)).is_some());
    }
}
