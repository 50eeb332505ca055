//! A scripted agent, with which a program that embeds the stack tests itself without a CLI, in milliseconds.
//!
//! [`FakeAgent`] plays a [`Turn`] for each user's message: texts, tool calls, permission requests, questions, delays and
//! failures. It waits with tokio's clock, so a test with `start_paused` waits for nothing.
//!
//! ```
//! use std::time::Duration;
//!
//! use agent_webkit::{Stack, layers::{auth::Disabled, resume::Cursor}, proto::client::ServerEvent};
//! use agent_webkit::{service::{NewSession, Policy}, testing::{FakeAgent, Turn}};
//! use serde_json::json;
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let agent = FakeAgent::new(|message| {
//!     let turn = Turn::new().text(format!("You said: {message}")).wait(Duration::from_secs(3600));
//!     turn.ask("Bash", json!({"command": "ls"}), "a.txt")
//! });
//! let stack = Stack::builder(agent, Policy::new(["."])?).auth(Disabled).build();
//! let session = stack.sessions().create(NewSession::new()).await?;
//! session.send("list the files").await?;
//! let mut events = session.events(Cursor::Oldest);
//! while let Some(event) = events.next().await {
//!     match event?.event {
//!         ServerEvent::PermissionRequest(asked) => session.allow(asked.correlation_id).await?,
//!         ServerEvent::ToolResult(result) => assert_eq!(result.output, "a.txt"),
//!         ServerEvent::Result(_) => break,
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod play;
mod turn;

use std::{
    fmt,
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll},
};

use tokio::sync::mpsc;
use tower::{BoxError, Service};

use self::play::Player;
pub use self::turn::Turn;
use crate::agent::{AgentIo, SessionSpec};

/// Capacity of the channels to and from an agent.
const CAPACITY: usize = 64;

/// An [`Agent`](crate::agent::Agent) that answers each user's message with a [`Turn`].
///
/// It agrees to every change of the mode and the model, and an interrupt ends its turn. See the [module](self) for an
/// example.
#[derive(Clone)]
pub struct FakeAgent {
    answer: Answer,
    refusal: Option<Arc<str>>,
}

type Answer = Arc<dyn Fn(&str) -> Turn + Send + Sync>;

impl FakeAgent {
    /// An agent that answers by this function. It gets the text of the message; of content blocks, the texts, one a
    /// line.
    pub fn new(answer: impl Fn(&str) -> Turn + Send + Sync + 'static) -> Self {
        Self { answer: Arc::new(answer), refusal: None }
    }

    /// An agent that cannot be started, for this reason.
    pub fn refusing(reason: impl Into<Arc<str>>) -> Self {
        Self { refusal: Some(reason.into()), ..Self::new(|_| Turn::new()) }
    }
}

impl Service<SessionSpec> for FakeAgent {
    type Response = AgentIo;
    type Error = BoxError;
    type Future = Ready<Result<AgentIo, BoxError>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _spec: SessionSpec) -> Self::Future {
        if let Some(reason) = &self.refusal {
            return ready(Err(reason.to_string().into()));
        }
        let (commands, heard) = mpsc::channel(CAPACITY);
        let (say, events) = mpsc::channel(CAPACITY);
        let answer = Arc::clone(&self.answer);
        tokio::spawn(async move {
            // It ends when the session ends, or when a turn exits.
            let _ = Player::new(heard, say).play_all(&*answer).await;
        });
        ready(Ok(AgentIo { commands, events }))
    }
}

impl fmt::Debug for FakeAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeAgent").field("refusal", &self.refusal).finish_non_exhaustive()
    }
}
