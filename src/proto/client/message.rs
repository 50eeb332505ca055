//! The messages that a client sends.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Members;

/// The body of `POST /sessions/{id}/input` (`docs/protocol.md`, Messages).
///
/// ```
/// use agent_webkit::proto::{Inbound, client::ClientMessage};
///
/// let body = ClientMessage::say("What is in this folder?").to_json();
/// assert_eq!(body, r#"{"type":"user_message","content":"What is in this folder?"}"#);
/// assert!(Inbound::parse(body.as_bytes()).is_ok(), "the server takes it");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ClientMessage {
    /// A user's message.
    UserMessage {
        /// The content.
        content: Content,
        /// A v4 uuid for it that no message of the session has; the server chooses one if there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message_uuid: Option<String>,
    },
    /// Withdraws a user's message that is queued.
    CancelMessage {
        /// The message's uuid.
        message_uuid: String,
    },
    /// Puts the files back as they were before a message.
    Rewind {
        /// The message's uuid.
        message_uuid: String,
        /// Whether to report the files only, and to change none.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        dry_run: bool,
    },
    /// Stops the running turn.
    Interrupt,
    /// The answer to a `permission_request` or a `hook_decision_request`.
    PermissionResponse {
        /// The prompt's id.
        correlation_id: String,
        /// The answer.
        #[serde(flatten)]
        reply: Reply,
    },
    /// The answer to an `ask_user_question`.
    QuestionResponse {
        /// The prompt's id.
        correlation_id: String,
        /// The chosen options of each question.
        answers: Vec<Chosen>,
    },
    /// The answer to an `elicitation_request`.
    ElicitationResponse {
        /// The prompt's id.
        correlation_id: String,
        /// What the user does.
        action: ElicitationAction,
        /// The answer, as the request's schema says; only with `accept`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        content: Option<serde_json::Value>,
    },
    /// Changes the permission mode.
    SetPermissionMode {
        /// The mode.
        mode: String,
    },
    /// Changes the model.
    SetModel {
        /// The model; `None` for the default.
        model: Option<String>,
    },
    /// Stops a background task.
    StopTask {
        /// The task's id.
        task_id: String,
    },
}

impl ClientMessage {
    /// A user's message with only text.
    #[must_use]
    pub fn say(text: impl Into<String>) -> Self {
        Self::UserMessage { content: Content::Text(text.into()), message_uuid: None }
    }

    /// Allows a tool to run with the input of the request.
    #[must_use]
    pub fn allow(correlation_id: impl Into<String>) -> Self {
        let reply = Reply::Allow { updated_input: None, updated_permissions: None };
        Self::PermissionResponse { correlation_id: correlation_id.into(), reply }
    }

    /// Denies a tool, with a reason for the model.
    #[must_use]
    pub fn deny(correlation_id: impl Into<String>, message: impl Into<String>) -> Self {
        let reply = Reply::Deny { message: Some(message.into()), interrupt: false };
        Self::PermissionResponse { correlation_id: correlation_id.into(), reply }
    }

    /// The body, on one line.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("keys are strings, and numbers are numbers")
    }
}

/// What the user does with an `elicitation_request`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ElicitationAction {
    /// Answers it.
    Accept,
    /// Refuses to answer.
    Decline,
    /// Dismisses it without a choice.
    Cancel,
}

/// The content of a user's message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Content {
    /// Only text.
    Text(String),
    /// Text and images.
    Blocks(Vec<Block>),
}

/// A content block of a user's message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Block {
    /// Text.
    Text {
        /// The text.
        text: String,
    },
    /// An image.
    Image {
        /// The source of the image.
        source: ImageSource,
    },
}

/// The source of an image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ImageSource {
    /// The image's bytes, in the message itself.
    Base64 {
        /// `image/png`, `image/jpeg`, `image/gif` or `image/webp`.
        media_type: String,
        /// The bytes in base64.
        data: String,
    },
}

/// The answer to a permission request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "behavior", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reply {
    /// Allows the request.
    Allow {
        /// The input to run the tool with, instead of the original.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        updated_input: Option<Members>,
        /// Permission rules to add, in the shape of the `permission_suggestions` in the request's context.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        updated_permissions: Option<Vec<Value>>,
    },
    /// Denies the request.
    Deny {
        /// The reason, for the model.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
        /// Whether to stop the turn as well.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        interrupt: bool,
    },
}

/// The chosen options of one question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Chosen {
    /// The question's text.
    pub question: String,
    /// The labels of the chosen options, or a text of the user's own.
    pub selected_options: Vec<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::proto::Inbound;

    fn id() -> String {
        "toolu_1".into()
    }

    /// One message of each kind, in each of its shapes.
    fn all() -> Vec<(ClientMessage, Value)> {
        let image = ImageSource::Base64 { media_type: "image/png".into(), data: "iVBORw0=".into() };
        let uuid = "82015afa-a03d-4d03-833e-793f9eaa3b59";
        let blocks = vec![Block::Text { text: "Look:".into() }, Block::Image { source: image }];
        let Value::Object(input) = json!({"command": "ls"}) else { unreachable!() };
        let rules = vec![json!({"type": "setMode", "mode": "acceptEdits", "destination": "session"})];
        let allow = Reply::Allow { updated_input: Some(input), updated_permissions: Some(rules.clone()) };
        let deny = Reply::Deny { message: None, interrupt: true };
        let chosen =
            Chosen { question: "Which?".into(), selected_options: vec!["Red".into(), "Blue".into()] };
        vec![
            (ClientMessage::say("hi"), json!({"type": "user_message", "content": "hi"})),
            (
                ClientMessage::UserMessage { content: Content::Blocks(blocks), message_uuid: None },
                json!({"type": "user_message", "content": [
                    {"type": "text", "text": "Look:"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0="}},
                ]}),
            ),
            (
                ClientMessage::UserMessage {
                    content: Content::Text("hi".into()),
                    message_uuid: Some(uuid.into()),
                },
                json!({"type": "user_message", "content": "hi", "message_uuid": uuid}),
            ),
            (
                ClientMessage::CancelMessage { message_uuid: uuid.into() },
                json!({"type": "cancel_message", "message_uuid": uuid}),
            ),
            (
                ClientMessage::Rewind { message_uuid: uuid.into(), dry_run: true },
                json!({"type": "rewind", "message_uuid": uuid, "dry_run": true}),
            ),
            (ClientMessage::Interrupt, json!({"type": "interrupt"})),
            (
                ClientMessage::allow(id()),
                json!({"type": "permission_response", "correlation_id": id(), "behavior": "allow"}),
            ),
            (
                ClientMessage::PermissionResponse { correlation_id: id(), reply: allow },
                json!({"type": "permission_response", "correlation_id": id(), "behavior": "allow",
                    "updated_input": {"command": "ls"}, "updated_permissions": rules}),
            ),
            (
                ClientMessage::deny(id(), "no"),
                json!({"type": "permission_response", "correlation_id": id(), "behavior": "deny", "message": "no"}),
            ),
            (
                ClientMessage::PermissionResponse { correlation_id: id(), reply: deny },
                json!({"type": "permission_response", "correlation_id": id(), "behavior": "deny", "interrupt": true}),
            ),
            (
                ClientMessage::QuestionResponse { correlation_id: id(), answers: vec![chosen] },
                json!({"type": "question_response", "correlation_id": id(),
                    "answers": [{"question": "Which?", "selectedOptions": ["Red", "Blue"]}]}),
            ),
            (
                ClientMessage::SetPermissionMode { mode: "plan".into() },
                json!({"type": "set_permission_mode", "mode": "plan"}),
            ),
            (ClientMessage::SetModel { model: None }, json!({"type": "set_model", "model": null})),
            (ClientMessage::StopTask { task_id: "b1".into() }, json!({"type": "stop_task", "task_id": "b1"})),
        ]
    }

    #[test]
    fn each_message_is_written_as_the_protocol_says_and_taken_by_the_server() {
        for (message, json) in all() {
            let body = message.to_json();
            assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), json);
            assert_eq!(serde_json::from_str::<ClientMessage>(&body).unwrap(), message);
            let inbound = Inbound::parse(body.as_bytes()).unwrap_or_else(|error| panic!("{body}: {error}"));
            let wanted = std::mem::discriminant(&inbound);
            let kinds = Inbound::parse(json.to_string().as_bytes()).unwrap();
            assert_eq!(wanted, std::mem::discriminant(&kinds));
        }
    }
}
