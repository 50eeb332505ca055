//! Events for clients, each encoded as one line of JSON when it is created (`docs/protocol.md`, Events).

use serde_json::value::RawValue;

use super::{
    AgentMessage, Ask, AskKind, Delta, Extra,
    json::{self, Object},
};

/// An event for the session's event log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutEvent {
    /// The event's name.
    pub name: &'static str,
    /// One line of JSON.
    pub data: Vec<u8>,
}

impl OutEvent {
    pub(super) fn of(name: &'static str, data: Object) -> Self {
        Self::new(name, data)
    }

    fn new(name: &'static str, data: Object) -> Self {
        Self { name, data: data.finish() }
    }

    pub(super) fn session_ready(session_id: &str) -> Self {
        let data = Object::new()
            .string("session_id", session_id)
            .string("protocol_version", super::PROTOCOL_VERSION);
        Self::new("session_ready", data)
    }

    pub(super) fn user_message(content: &RawValue, message_uuid: &str) -> Self {
        let data = Object::with_capacity(content.get().len() + 96).raw("content", content);
        Self::new("user_message", data.string("message_uuid", message_uuid))
    }

    pub(super) fn user_message_cancelled(message_uuid: &str) -> Self {
        Self::new("user_message_cancelled", Object::new().string("message_uuid", message_uuid))
    }

    pub(super) fn files_rewound(message_uuid: &str, files: &[String], dry_run: bool) -> Self {
        let files = serde_json::to_vec(files).expect("strings are always JSON");
        let data = Object::new().string("message_uuid", message_uuid).json("files", &files);
        Self::new("files_rewound", data.bool("dry_run", dry_run))
    }

    pub(super) fn message_delta(message_id: &str, parent: Option<&str>, delta: &Delta) -> Self {
        let (head, tail, piece): (&[u8], &str, &RawValue) = match delta {
            Delta::Text(text) => (br#"{"type":"text","text":"#, "}", text),
            Delta::Thinking(thinking) => (br#"{"type":"thinking","thinking":"#, "}", thinking),
            Delta::InputJson { tool_use_id, name, partial_json } => {
                let delta = Object::new()
                    .string("type", "input_json_delta")
                    .string("tool_use_id", tool_use_id)
                    .string("name", name)
                    .raw("partial_json", partial_json)
                    .finish();
                let data = Object::with_capacity(delta.len() + 128).string("message_id", message_id);
                return Self::new(
                    "message_delta",
                    data.json("delta", &delta).optional("parent_tool_use_id", parent),
                );
            }
        };
        let piece = json::one_line(piece.get());
        let value: [&[u8]; 3] = [head, piece.as_bytes(), tail.as_bytes()];
        // Most events are deltas. With an exact capacity, the vector becomes `Bytes` as it is.
        let ids = br#"{"message_id":"","delta":}"#.len() + message_id.len();
        let parent_len = parent.map_or(0, |parent| br#","parent_tool_use_id":"""#.len() + parent.len());
        let room = ids + parent_len + value.iter().map(|piece| piece.len()).sum::<usize>();
        let data = Object::with_capacity(room).string("message_id", message_id);
        Self::new("message_delta", data.pieces("delta", &value).optional("parent_tool_use_id", parent))
    }

    /// The message with all its blocks so far.
    pub(super) fn message_complete(message: &AgentMessage) -> Self {
        let blocks = json::array(message.blocks.iter().map(|block| block.get()));
        let whole = Object::with_capacity(blocks.len() + 512)
            .string("id", &message.id)
            .string("role", "assistant")
            .json("content", &blocks)
            .members(&message.extra)
            .finish();
        let data =
            Object::with_capacity(whole.len() + 96).string("message_id", &message.id).json("message", &whole);
        Self::new(
            "message_complete",
            data.optional("parent_tool_use_id", message.parent_tool_use_id.as_deref()),
        )
    }

    /// A message that the agent gave up before it had a whole block.
    pub(super) fn message_abandoned(message_id: &str, parent: Option<&str>) -> Self {
        let message = Object::new()
            .string("id", message_id)
            .string("role", "assistant")
            .json("content", b"[]")
            .finish();
        let data = Object::new().string("message_id", message_id).json("message", &message);
        Self::new("message_complete", data.optional("parent_tool_use_id", parent).bool("abandoned", true))
    }

    pub(super) fn tool_use(message: &AgentMessage, id: &str, name: &str, input: &RawValue) -> Self {
        let data = Object::new()
            .string("message_id", &message.id)
            .string("tool_use_id", id)
            .string("tool_name", name)
            .raw("input", input)
            .optional("parent_tool_use_id", message.parent_tool_use_id.as_deref());
        Self::new("tool_use", data)
    }

    pub(super) fn tool_result(id: &str, parent: Option<&str>, output: &RawValue, is_error: bool) -> Self {
        let data = Object::with_capacity(output.get().len() + 128)
            .string("tool_use_id", id)
            .raw("output", output)
            .bool("is_error", is_error)
            .optional("parent_tool_use_id", parent);
        Self::new("tool_result", data)
    }

    pub(super) fn prompt(ask: &Ask) -> Self {
        let data = Object::new().string("correlation_id", &ask.correlation_id);
        match ask.kind {
            AskKind::Permission => {
                let context = Object::new().members(&ask.context).finish();
                let data =
                    data.string("tool_name", &ask.name).raw("input", &ask.input).json("context", &context);
                Self::new(ask.kind.event_name(), data)
            }
            AskKind::Question => Self::new(ask.kind.event_name(), data.raw("questions", &ask.input)),
            AskKind::Hook => {
                let data = data.string("hook_event", &ask.name).raw("hook_input", &ask.input);
                Self::new(ask.kind.event_name(), data)
            }
            AskKind::Elicitation => {
                let data = data.string("server_name", &ask.name).members(&ask.context);
                Self::new(ask.kind.event_name(), data)
            }
        }
    }

    pub(super) fn prompt_resolved(
        id: &str,
        kind: AskKind,
        outcome: &str,
        behavior: Option<&str>,
        by: Option<&str>,
    ) -> Self {
        let kind = match kind {
            AskKind::Permission => "permission",
            AskKind::Question => "question",
            AskKind::Hook => "hook",
            AskKind::Elicitation => "elicitation",
        };
        let data = Object::new().string("correlation_id", id).string("kind", kind).string("outcome", outcome);
        Self::new("prompt_resolved", data.optional("behavior", behavior).optional("by", by))
    }

    /// The end of a permission request that a policy has answered before anybody was asked.
    pub(super) fn decided(id: &str, behavior: &str) -> Self {
        Self::prompt_resolved(id, AskKind::Permission, "answered", Some(behavior), Some("policy"))
    }

    pub(super) fn result(
        session_id: &str,
        subtype: &str,
        turn_cost: Option<f64>,
        session_cost: f64,
        extra: &Extra,
    ) -> Self {
        let mut data =
            Object::with_capacity(1024).string("session_id", session_id).string("subtype", subtype);
        if let Some(cost) = turn_cost {
            data = data.number("total_cost_usd", cost);
        }
        Self::new("result", data.number("session_cost_usd", session_cost).members(extra))
    }

    /// The `result` of a turn that ended because its agent was lost.
    pub(super) fn aborted_result(session_id: &str, reason: &str, turn_cost: f64, session_cost: f64) -> Self {
        let data = Object::new()
            .string("session_id", session_id)
            .string("subtype", "error_during_execution")
            .number("total_cost_usd", turn_cost)
            .number("session_cost_usd", session_cost)
            .bool("is_error", true)
            .string("terminal_reason", reason);
        Self::new("result", data)
    }

    pub(super) fn error(code: &str, message: &str) -> Self {
        Self::new("error", Object::new().string("code", code).string("message", message))
    }

    pub(super) fn mcp_status_change(server_name: &str, status: &str) -> Self {
        Self::new(
            "mcp_status_change",
            Object::new().string("server_name", server_name).string("status", status),
        )
    }

    pub(super) fn task_update(task_id: &str, status: &str, extra: &Extra) -> Self {
        let data = Object::new().string("task_id", task_id).string("status", status).members(extra);
        Self::new("task_update", data)
    }

    pub(super) fn status(status: &str, extra: &Extra) -> Self {
        Self::new("status", Object::new().string("status", status).members(extra))
    }

    pub(super) fn done() -> Self {
        Self::new("done", Object::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delta_has_room_for_itself_and_no_more() {
        for parent in [None, Some("toolu_1")] {
            let OutEvent { data, .. } = OutEvent::message_delta("msg_1", parent, &Delta::text("a \"word\""));
            assert_eq!(data.len(), data.capacity(), "{}", String::from_utf8_lossy(&data));
        }
    }
}
