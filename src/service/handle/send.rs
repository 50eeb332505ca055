//! The inputs of a session in Rust.

use super::{Input, SessionHandle, Wait, idempotency_key};
use crate::{
    layers::resume::EventLog,
    proto::client::{Block, Chosen, ClientMessage, Content, Reply},
    service::error::SessionError,
};

/// A user's message, for [`SessionHandle::send`]. A string converts into one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewMessage {
    content: Content,
    message_uuid: Option<String>,
    key: Option<String>,
    verbatim: bool,
}

impl NewMessage {
    /// A message with this content.
    #[must_use]
    pub fn new(content: Content) -> Self {
        Self { content, message_uuid: None, key: None, verbatim: false }
    }

    /// Sets the message's uuid, a v4 one that no message of the session has.
    #[must_use]
    pub fn message_uuid(mut self, uuid: impl Into<String>) -> Self {
        self.message_uuid = Some(uuid.into());
        self
    }

    /// Sets an idempotency key, 1 to 255 visible ASCII characters. A message whose key and content were accepted
    /// before is not run again.
    #[must_use]
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Makes the text nothing but text for the model: the agent reads no file that it mentions and runs no command
    /// that it names. For texts of people who may not approve what the agent does.
    #[must_use]
    pub fn verbatim(mut self) -> Self {
        self.verbatim = true;
        self
    }
}

impl From<&str> for NewMessage {
    fn from(text: &str) -> Self {
        Self::new(Content::Text(text.to_owned()))
    }
}

impl From<String> for NewMessage {
    fn from(text: String) -> Self {
        Self::new(Content::Text(text))
    }
}

impl From<Vec<Block>> for NewMessage {
    fn from(blocks: Vec<Block>) -> Self {
        Self::new(Content::Blocks(blocks))
    }
}

impl<L: EventLog> SessionHandle<L> {
    /// Sends a user's message and returns its uuid, as in its `user_message` event. One turn runs at a time; further
    /// messages wait in the session's queue. A repeat under an idempotency key returns the uuid of the first one.
    ///
    /// # Errors
    /// See [`input`](Self::input).
    pub async fn send(&self, message: impl Into<NewMessage>) -> Result<String, SessionError> {
        let NewMessage { content, message_uuid, key, verbatim } = message.into();
        let message = ClientMessage::UserMessage { content, message_uuid };
        let message_uuid = self.take_message(&message, key.as_deref(), verbatim).await?;
        Ok(message_uuid.expect("a user's message has a uuid"))
    }

    /// Allows a permission request, with the input that the agent has given.
    ///
    /// # Errors
    /// See [`input`](Self::input).
    pub async fn allow(&self, correlation_id: impl Into<String>) -> Result<(), SessionError> {
        self.input(ClientMessage::allow(correlation_id)).await
    }

    /// Denies a permission request, with a reason for the model.
    ///
    /// # Errors
    /// See [`input`](Self::input).
    pub async fn deny(
        &self,
        correlation_id: impl Into<String>,
        message: impl Into<String>,
    ) -> Result<(), SessionError> {
        self.input(ClientMessage::deny(correlation_id, message)).await
    }

    /// Answers a permission request or a hook's decision request, with all that an answer can have.
    ///
    /// # Errors
    /// See [`input`](Self::input).
    pub async fn reply(&self, correlation_id: impl Into<String>, reply: Reply) -> Result<(), SessionError> {
        self.input(ClientMessage::PermissionResponse { correlation_id: correlation_id.into(), reply }).await
    }

    /// Allows a permission request, or denies it with a reason, for whoever has its link.
    #[cfg(feature = "webhooks")]
    pub(crate) async fn answer_by_link(
        &self,
        correlation_id: &str,
        denial: Option<&str>,
    ) -> Result<(), SessionError> {
        let message = match denial {
            None => ClientMessage::allow(correlation_id),
            Some(reason) => ClientMessage::deny(correlation_id, reason),
        };
        let wait = Wait::new(self.sessions.limits());
        let input = Input::parse(message.to_json().into_bytes().into(), None);
        self.take(input.and_then(|input| self.permit(input.by_link(), false)), &wait).await.map(drop)
    }

    /// Answers a question.
    ///
    /// # Errors
    /// See [`input`](Self::input).
    pub async fn answer(
        &self,
        correlation_id: impl Into<String>,
        answers: Vec<Chosen>,
    ) -> Result<(), SessionError> {
        self.input(ClientMessage::QuestionResponse { correlation_id: correlation_id.into(), answers }).await
    }

    /// Stops the running turn, if there is one.
    ///
    /// # Errors
    /// See [`input`](Self::input).
    pub async fn interrupt(&self) -> Result<(), SessionError> {
        self.input(ClientMessage::Interrupt).await
    }

    /// Changes the model, from the next message on; `None` for the default.
    ///
    /// # Errors
    /// See [`input`](Self::input).
    pub async fn set_model(&self, model: Option<&str>) -> Result<(), SessionError> {
        self.input(ClientMessage::SetModel { model: model.map(str::to_owned) }).await
    }

    /// Changes the permission mode.
    ///
    /// # Errors
    /// See [`input`](Self::input).
    pub async fn set_permission_mode(&self, mode: impl Into<String>) -> Result<(), SessionError> {
        self.input(ClientMessage::SetPermissionMode { mode: mode.into() }).await
    }

    /// Stops a background task.
    ///
    /// # Errors
    /// See [`input`](Self::input).
    pub async fn stop_task(&self, task_id: impl Into<String>) -> Result<(), SessionError> {
        self.input(ClientMessage::StopTask { task_id: task_id.into() }).await
    }

    /// Withdraws a user's message that is queued.
    ///
    /// # Errors
    /// See [`input`](Self::input); [`Conflict`](SessionError::Conflict): it runs or has run, or was never sent.
    pub async fn cancel_message(&self, message_uuid: impl Into<String>) -> Result<(), SessionError> {
        self.input(ClientMessage::CancelMessage { message_uuid: message_uuid.into() }).await
    }

    /// Puts the files that the agent has changed since this message back as they were before it. The event
    /// `files_rewound` lists them. A `dry_run` changes none.
    ///
    /// # Errors
    /// See [`input`](Self::input); [`Conflict`](SessionError::Conflict): a turn runs.
    pub async fn rewind(&self, message_uuid: impl Into<String>, dry_run: bool) -> Result<(), SessionError> {
        self.input(ClientMessage::Rewind { message_uuid: message_uuid.into(), dry_run }).await
    }

    /// Sends any message of the protocol. When the call returns, what the message caused is in the event log. If the
    /// future is dropped before, a message that was not taken yet has no effect.
    ///
    /// # Errors
    /// [`Invalid`](SessionError::Invalid): a value is invalid, or the agent refuses it;
    /// [`Denied`](SessionError::Denied): the policy forbids it; [`Settled`](SessionError::Settled): the prompt is not
    /// open; [`Conflict`](SessionError::Conflict): the session is not in the state that the message needs; [`TooLarge`](SessionError::TooLarge); [`Unprocessable`](SessionError::Unprocessable): the idempotency key
    /// was used with another message; [`Backpressure`](SessionError::Backpressure): the queue is full;
    /// [`NotFound`](SessionError::NotFound), [`TakenOver`](SessionError::TakenOver) and
    /// [`Unavailable`](SessionError::Unavailable).
    pub async fn input(&self, message: ClientMessage) -> Result<(), SessionError> {
        self.take_message(&message, None, false).await.map(drop)
    }

    async fn take_message(
        &self,
        message: &ClientMessage,
        key: Option<&str>,
        verbatim: bool,
    ) -> Result<Option<String>, SessionError> {
        let limits = self.sessions.limits();
        let wait = Wait::new(limits);
        let checked = || {
            let body = message.to_json().into_bytes();
            if body.len() > limits.max_body {
                return Err(SessionError::TooLarge { limit: limits.max_body });
            }
            let key = key.map(|key| idempotency_key(key, &body)).transpose()?;
            self.permit(Input::parse(body.into(), key)?, verbatim)
        };
        self.take(checked(), &wait).await
    }
}
