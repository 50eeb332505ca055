//! The frames that are written to the CLI: control requests, control responses and user messages.

use serde::Serialize;
use serde_json::value::RawValue;

use super::permissions::Permissions;
use crate::claude::options::Handshake;
use crate::proto::{AskKind, Decision};

/// The message of a denial that has none: the CLI requires one.
const DECLINED: &str = "The user declined.";

/// A user message. The `result` of its turn lists its uuid.
#[derive(Serialize)]
pub(crate) struct UserFrame<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    uuid: &'a str,
    /// Makes the CLI pass the text on as it is: it reads no mention and runs no slash command.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    text_not_typed: bool,
    message: UserMessage<'a>,
}

#[derive(Serialize)]
struct UserMessage<'a> {
    role: &'static str,
    content: &'a RawValue,
}

impl<'a> UserFrame<'a> {
    pub(crate) const fn new(uuid: &'a str, content: &'a RawValue, verbatim: bool) -> Self {
        let message = UserMessage { role: "user", content };
        Self { kind: "user", uuid, text_not_typed: verbatim, message }
    }
}

/// A control request to the CLI, which answers with the same `request_id`.
#[derive(Serialize)]
pub(crate) struct RequestFrame<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    request_id: String,
    request: Request<'a>,
}

/// The body of a control request.
#[derive(Serialize)]
#[serde(tag = "subtype", rename_all = "snake_case")]
pub(crate) enum Request<'a> {
    Initialize {
        hooks: Option<&'a RawValue>,
        #[serde(flatten)]
        options: &'a Handshake,
    },
    Interrupt,
    McpStatus,
    McpMessage {
        server_name: &'a str,
        message: &'a RawValue,
    },
    GetContextUsage {
        detail: &'static str,
    },
    GetSettings,
    ListModels,
    GetUsage {
        detached: bool,
        skip_behaviors: bool,
    },
    RewindFiles {
        user_message_id: &'a str,
        dry_run: bool,
    },
    CancelAsyncMessage {
        message_uuid: &'a str,
    },
    ApplyFlagSettings {
        settings: FlagSettings<'a>,
    },
    SetPermissionMode {
        mode: &'a str,
    },
    SetModel {
        model: Option<&'a str>,
    },
    StopTask {
        task_id: &'a str,
    },
    SetHasSubscribers {
        has_subscribers: bool,
    },
}

/// Settings for one process.
#[derive(Serialize)]
pub(crate) struct FlagSettings<'a> {
    pub(crate) permissions: &'a Permissions,
}

impl<'a> RequestFrame<'a> {
    pub(crate) fn new(id: u64, request: Request<'a>) -> Self {
        Self { kind: "control_request", request_id: id.to_string(), request }
    }
}

/// Our response to a control request of the CLI.
#[derive(Serialize)]
pub(crate) struct ResponseFrame<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    response: Response<'a>,
}

#[derive(Serialize)]
struct Response<'a> {
    subtype: &'static str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<Verdict<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Verdict<'a> {
    Raw(&'a RawValue),
    Mcp {
        mcp_response: &'a RawValue,
    },
    #[serde(rename_all = "camelCase")]
    Allow {
        behavior: &'static str,
        updated_input: &'a RawValue,
        #[serde(skip_serializing_if = "Option::is_none")]
        updated_permissions: Option<&'a RawValue>,
    },
    Deny {
        behavior: &'static str,
        message: &'a str,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        interrupt: bool,
    },
    Block {
        decision: &'static str,
        reason: &'a str,
    },
    Nothing {},
}

impl<'a> ResponseFrame<'a> {
    /// Creates the response with this content.
    pub(crate) fn raw(request_id: &'a str, response: &'a RawValue) -> Self {
        let response = Some(Verdict::Raw(response));
        Self {
            kind: "control_response",
            response: Response { subtype: "success", request_id, response, error: None },
        }
    }

    /// Creates the response that carries an answer of an MCP server.
    pub(crate) const fn mcp(request_id: &'a str, mcp_response: &'a RawValue) -> Self {
        let response = Some(Verdict::Mcp { mcp_response });
        Self::new(Response { subtype: "success", request_id, response, error: None })
    }

    /// Creates the response for a decision. The CLI requires an input with every `allow`: `original`, unless
    /// the decision edited it.
    pub(crate) fn decision(
        request_id: &'a str,
        kind: AskKind,
        original: &'a RawValue,
        decision: &'a Decision,
    ) -> Self {
        let verdict = match (decision, kind) {
            (Decision::Hook(output) | Decision::Elicitation(output), _) => Verdict::Raw(output),
            (Decision::Allow { .. }, AskKind::Hook) => Verdict::Nothing {},
            (Decision::Deny { message, .. }, AskKind::Hook) => {
                Verdict::Block { decision: "block", reason: message.as_deref().unwrap_or(DECLINED) }
            }
            (Decision::Allow { updated_input, updated_permissions }, _) => Verdict::Allow {
                behavior: "allow",
                updated_input: updated_input.as_deref().unwrap_or(original),
                updated_permissions: updated_permissions.as_deref(),
            },
            (Decision::Deny { message, interrupt }, _) => Verdict::Deny {
                behavior: "deny",
                message: message.as_deref().unwrap_or(DECLINED),
                interrupt: *interrupt,
            },
        };
        Self::new(Response { subtype: "success", request_id, response: Some(verdict), error: None })
    }

    /// Creates an error response.
    pub(crate) const fn error(request_id: &'a str, error: &'a str) -> Self {
        Self::new(Response { subtype: "error", request_id, response: None, error: Some(error) })
    }

    const fn new(response: Response<'a>) -> Self {
        Self { kind: "control_response", response }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claude::protocol::codec::encode;

    fn line<T: Serialize>(frame: &T) -> String {
        let mut out = Vec::new();
        encode(frame, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    fn decided(kind: AskKind, decision: &Decision) -> String {
        let line = line(&ResponseFrame::decision("q", kind, &raw(r#"{"command": "ls"}"#), decision));
        let head =
            r#"{"type":"control_response","response":{"subtype":"success","request_id":"q","response":"#;
        line.strip_prefix(head).unwrap().strip_suffix("}}\n").unwrap().to_owned()
    }

    #[test]
    fn requests_name_their_subtype() {
        assert_eq!(
            line(&RequestFrame::new(7, Request::SetModel { model: None })),
            "{\"type\":\"control_request\",\"request_id\":\"7\",\"request\":{\"subtype\":\"set_model\",\"model\":null}}\n"
        );
        assert!(line(&RequestFrame::new(1, Request::Interrupt)).contains(r#"{"subtype":"interrupt"}"#));
    }

    #[test]
    fn allow_always_carries_an_input() {
        let plain = Decision::Allow { updated_input: None, updated_permissions: None };
        assert_eq!(
            decided(AskKind::Permission, &plain),
            r#"{"behavior":"allow","updatedInput":{"command":"ls"}}"#
        );
        let edited = Decision::Allow {
            updated_input: Some(raw("{\n \"command\":\n\"pwd\"}")),
            updated_permissions: Some(raw("[ ]")),
        };
        assert_eq!(
            decided(AskKind::Permission, &edited),
            r#"{"behavior":"allow","updatedInput":{"command":"pwd"},"updatedPermissions":[]}"#
        );
    }

    #[test]
    fn deny_always_carries_a_message() {
        let deny = Decision::Deny { message: None, interrupt: false };
        assert_eq!(
            decided(AskKind::Question, &deny),
            r#"{"behavior":"deny","message":"The user declined."}"#
        );
        let stop = Decision::Deny { message: Some("no\n\"}".into()), interrupt: true };
        assert_eq!(
            decided(AskKind::Permission, &stop),
            r#"{"behavior":"deny","message":"no\n\"}","interrupt":true}"#
        );
    }

    #[test]
    fn hooks_are_answered_in_their_own_terms() {
        assert_eq!(
            decided(AskKind::Hook, &Decision::Hook(raw(r#"{ "continue": true }"#))),
            r#"{"continue":true}"#
        );
        let allow = Decision::Allow { updated_input: None, updated_permissions: None };
        assert_eq!(decided(AskKind::Hook, &allow), "{}");
    }

    #[test]
    fn a_message_cannot_smuggle_in_a_frame() {
        let content =
            raw("[\n{\"type\":\"text\",\r\n\"text\":\"a\\n{\\\"type\\\":\\\"control_request\\\"}\"}\n]");
        let line = line(&UserFrame::new("u", &content, false));
        assert_eq!(line.matches(['\n', '\r']).count(), 1);
        assert!(line.ends_with("\n"));
    }
}
