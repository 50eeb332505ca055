//! A session and its reader.

use serde_json::{Value, json};

use super::{Client, Events, Frame, Reply};

/// A session with a client and a reader.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) id: String,
    pub(crate) events: Events,
}

impl Session {
    /// Creates a session and reads its stream.
    pub(crate) async fn create(client: Client, body: &Value) -> Self {
        let id = client.created(body).await;
        let events = client.events(&id).await;
        Self { client, id, events }
    }

    /// Posts a message and returns any response.
    pub(crate) async fn input(&self, message: &Value) -> Reply {
        self.client.input(&self.id, message).await
    }

    /// Posts a message. Panics if it is refused.
    pub(crate) async fn put(&self, message: &Value) {
        let reply = self.input(message).await;
        assert_eq!(reply.status, 204, "{message} gave {reply:?}");
        assert!(reply.body.is_empty(), "{reply:?}");
    }

    /// Posts a user's message: a text, a script or an array of content blocks.
    pub(crate) async fn say(&self, content: impl Into<Value>) {
        self.put(&json!({"type": "user_message", "content": content.into()})).await;
    }

    /// Posts a user's message, reads to the end of its turn and returns the turn's events.
    pub(crate) async fn turn(&mut self, content: impl Into<Value>) -> Vec<Frame> {
        let before = self.events.seen.len();
        self.say(content).await;
        self.until("result").await;
        self.events.seen[before..].to_vec()
    }

    pub(crate) async fn interrupt(&self) {
        self.put(&json!({"type": "interrupt"})).await;
    }

    /// Allows a permission request.
    pub(crate) async fn allow(&self, request: &Frame) {
        self.put(&allow(request)).await;
    }

    /// Denies a permission request.
    pub(crate) async fn deny(&self, request: &Frame) {
        let id = request.str("correlation_id");
        self.put(&json!({"type": "permission_response", "correlation_id": id, "behavior": "deny"})).await;
    }

    /// Reads up to the next event of this name.
    pub(crate) async fn until(&mut self, event: &str) -> Frame {
        self.events.until(event).await
    }

    /// Deletes the session, reads to the end of its stream and returns the stream.
    pub(crate) async fn close(mut self) -> Events {
        assert_eq!(self.client.delete(&self.id).await.status, 204);
        self.events.rest().await;
        assert_eq!(self.events.seen.last().map(|frame| frame.event.as_str()), Some("done"));
        self.events
    }
}

/// The message that allows a permission request.
pub(crate) fn allow(request: &Frame) -> Value {
    let id = request.str("correlation_id");
    json!({"type": "permission_response", "correlation_id": id, "behavior": "allow"})
}
