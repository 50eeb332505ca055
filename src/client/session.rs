//! A session of a client.

use http::{HeaderValue, Method};
use serde_json::Value;
use uuid::Uuid;

use super::{
    Error, EventStream, HttpService,
    exchange::{Call, Endpoint, Repeat, escaped},
};
use crate::proto::client::{Chosen, ClientMessage, ElicitationAction, Members, Reply, SessionInfo, Ticket};

/// A session on the server. Clones are the same session; dropping one does nothing to it.
///
/// Every message has an `Idempotency-Key` of its own, and is sent again after a lost connection or a 503 until the
/// server has answered: it takes effect once, however often it is sent.
#[derive(Clone, Debug)]
pub struct Session<S> {
    pub(super) endpoint: Endpoint<S>,
    id: String,
}

impl<S> Session<S> {
    pub(super) fn new(endpoint: Endpoint<S>, id: String) -> Self {
        Self { endpoint, id }
    }

    /// The session's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn path(&self, below: &str) -> String {
        format!("/sessions/{}{below}", escaped(&self.id))
    }
}

impl<S: HttpService> Session<S> {
    /// Sends a user's message with only text. It starts a turn, or waits for the end of the running one.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub async fn say(&self, text: impl Into<String>) -> Result<(), Error> {
        self.send(&ClientMessage::say(text)).await
    }

    /// Sends a message (`POST /sessions/{id}/input`).
    ///
    /// # Errors
    /// The server refuses it: 400 (in the agent's words, where it is the agent that refuses), 403, 404, 409 for a prompt
    /// that has been settled, or 503 for longer than the client's patience. Or there was no answer for as long.
    pub async fn send(&self, message: &ClientMessage) -> Result<(), Error> {
        self.send_with_key(message, &Uuid::new_v4().to_string()).await
    }

    /// Sends a message with an `Idempotency-Key` of the caller's, 1 to 255 visible ASCII characters: the same message
    /// with the same key takes effect once, also if another process sends it again.
    ///
    /// # Errors
    /// As for [`send`](Self::send); 422 if the key was used for another message.
    pub async fn send_with_key(&self, message: &ClientMessage, key: &str) -> Result<(), Error> {
        let key = HeaderValue::from_str(key)
            .map_err(|_| Error::Protocol("an idempotency key must be visible ASCII characters".to_owned()))?;
        let mut call = Call::new(Method::POST, self.path("/input"), message.to_json());
        call.header = Some(("idempotency-key", key));
        self.endpoint.answer(&call, Repeat::Always).await.map(drop)
    }

    /// Allows a tool to run with the input of the request.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub async fn allow(&self, correlation_id: &str) -> Result<(), Error> {
        self.send(&ClientMessage::allow(correlation_id)).await
    }

    /// Allows a tool to run with another input.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub async fn allow_with(&self, correlation_id: &str, input: Members) -> Result<(), Error> {
        let reply = Reply::Allow { updated_input: Some(input), updated_permissions: None };
        self.send(&ClientMessage::PermissionResponse { correlation_id: correlation_id.to_owned(), reply })
            .await
    }

    /// Denies a tool, with a reason for the model.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub async fn deny(&self, correlation_id: &str, reason: &str) -> Result<(), Error> {
        self.send(&ClientMessage::deny(correlation_id, reason)).await
    }

    /// Answers an `ask_user_question`.
    ///
    /// # Errors
    /// As for [`send`](Self::send); 400 names the questions if none of the answers is for one of them.
    pub async fn answer(&self, correlation_id: &str, answers: Vec<Chosen>) -> Result<(), Error> {
        self.send(&ClientMessage::QuestionResponse { correlation_id: correlation_id.to_owned(), answers })
            .await
    }

    /// Answers an `elicitation_request`. Only `accept` has a content.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub async fn answer_elicitation(
        &self,
        correlation_id: &str,
        action: ElicitationAction,
        content: Option<Value>,
    ) -> Result<(), Error> {
        let correlation_id = correlation_id.to_owned();
        self.send(&ClientMessage::ElicitationResponse { correlation_id, action, content }).await
    }

    /// Interrupts the running turn, if there is one.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub async fn interrupt(&self) -> Result<(), Error> {
        self.send(&ClientMessage::Interrupt).await
    }

    /// Withdraws a message that is queued.
    ///
    /// # Errors
    /// As for [`send`](Self::send); 409: it runs or has run, or was never sent.
    pub async fn cancel_message(&self, message_uuid: &str) -> Result<(), Error> {
        self.send(&ClientMessage::CancelMessage { message_uuid: message_uuid.to_owned() }).await
    }

    /// Puts the files that the agent has changed since this message back as they were before it. The event
    /// `files_rewound` lists them. A `dry_run` changes none.
    ///
    /// # Errors
    /// As for [`send`](Self::send); 409: a turn runs; 400: the agent has no checkpoint for this message.
    pub async fn rewind(&self, message_uuid: &str, dry_run: bool) -> Result<(), Error> {
        self.send(&ClientMessage::Rewind { message_uuid: message_uuid.to_owned(), dry_run }).await
    }

    /// Changes the model from the next message on; `None` for the agent's default.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub async fn set_model(&self, model: Option<&str>) -> Result<(), Error> {
        self.send(&ClientMessage::SetModel { model: model.map(str::to_owned) }).await
    }

    /// Changes the permission mode.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub async fn set_permission_mode(&self, mode: &str) -> Result<(), Error> {
        self.send(&ClientMessage::SetPermissionMode { mode: mode.to_owned() }).await
    }

    /// Stops a background task.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub async fn stop_task(&self, task_id: &str) -> Result<(), Error> {
        self.send(&ClientMessage::StopTask { task_id: task_id.to_owned() }).await
    }

    /// Describes the session, with its state and its open prompts (`GET /sessions/{id}`).
    ///
    /// # Errors
    /// There is no such session (404), or the server gives no answer.
    pub async fn describe(&self) -> Result<SessionInfo, Error> {
        self.endpoint.json(&Call::new(Method::GET, self.path(""), ""), Repeat::Always).await
    }

    /// Issues a ticket for the session's stream (`POST /sessions/{id}/tickets`).
    ///
    /// # Errors
    /// There is no such session (404), the caller is not authenticated (403), or the server gives no answer.
    pub async fn ticket(&self) -> Result<Ticket, Error> {
        self.endpoint.json(&Call::new(Method::POST, self.path("/tickets"), "{}"), Repeat::Always).await
    }

    /// Ends the session and deletes it. A session that is gone is no error.
    ///
    /// # Errors
    /// The server gives no answer.
    pub async fn delete(&self) -> Result<(), Error> {
        self.endpoint.answer(&Call::new(Method::DELETE, self.path(""), ""), Repeat::Always).await.map(drop)
    }

    /// The session's events from the oldest on that the server holds, then live.
    pub fn events(&self) -> EventStream<S> {
        EventStream::new(self.endpoint.clone(), self.path(""), None)
    }

    /// The session's events after the one with this number: [`EventStream::last_seq`] of an earlier stream.
    pub fn events_after(&self, seq: u64) -> EventStream<S> {
        EventStream::new(self.endpoint.clone(), self.path(""), Some(seq))
    }
}
