//! An agent that the test controls.

use std::{
    future::{Ready, ready},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use agent_webkit::{
    agent::{AgentIo, SessionSpec},
    proto::{AgentCommand, AgentEvent, Ask, AskKind, TurnEnd},
};
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::mpsc;
use tower::{BoxError, Service};

/// Starts fake agents and sends the agent's ends of their channels to the test.
#[derive(Clone, Debug)]
pub(crate) struct FakeAgents {
    started: mpsc::UnboundedSender<Far>,
    refusal: Option<&'static str>,
    calls: Arc<AtomicUsize>,
}

/// The agent's ends of its channels.
#[derive(Debug)]
pub(crate) struct Far {
    pub(crate) spec: SessionSpec,
    pub(crate) commands: mpsc::Receiver<AgentCommand>,
    pub(crate) events: mpsc::Sender<AgentEvent>,
}

impl FakeAgents {
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<Far>) {
        let (started, far) = mpsc::unbounded_channel();
        (Self { started, refusal: None, calls: Arc::default() }, far)
    }

    /// Makes every start fail with this text.
    pub(crate) fn refusing(mut self, words: &'static str) -> Self {
        self.refusal = Some(words);
        self
    }

    /// Number of requested starts.
    pub(crate) fn calls(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.calls)
    }
}

impl Service<SessionSpec> for FakeAgents {
    type Response = AgentIo;
    type Error = BoxError;
    type Future = Ready<Result<AgentIo, BoxError>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, spec: SessionSpec) -> Self::Future {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if let Some(words) = self.refusal {
            return ready(Err(words.into()));
        }
        let (command_tx, commands) = mpsc::channel(8);
        let (events, event_rx) = mpsc::channel(1024);
        // If the test has dropped the receiver, the agent ends at once.
        let _ = self.started.send(Far { spec, commands, events });
        ready(Ok(AgentIo { commands: command_tx, events: event_rx }))
    }
}

impl Far {
    pub(crate) async fn say(&self, event: AgentEvent) {
        self.events.send(event).await.expect("the session listens");
    }

    pub(crate) async fn hears(&mut self) -> AgentCommand {
        self.commands.recv().await.expect("a command")
    }

    /// Waits until the session asks the agent to end.
    pub(crate) async fn is_let_go(&mut self) {
        assert!(self.commands.recv().await.is_none(), "a command came");
    }

    pub(crate) async fn ends_turn(&self) {
        let end = TurnEnd {
            subtype: "success".into(),
            turn_cost_usd: None,
            process_cost_usd: Some(0.5),
            unprompted: false,
            extra: Vec::new(),
        };
        self.say(AgentEvent::TurnEnded(end)).await;
    }

    pub(crate) async fn asks(&self, correlation_id: &str) {
        let ask = Ask {
            kind: AskKind::Permission,
            correlation_id: correlation_id.into(),
            name: "Bash".into(),
            input: RawValue::from_string(r#"{"command":"ls"}"#.into()).unwrap(),
            context: Vec::new(),
            resumable: false,
        };
        self.say(AgentEvent::Ask(ask)).await;
    }

    pub(crate) async fn asks_question(&self, correlation_id: &str, questions: &[&str]) {
        let questions: Vec<_> = questions.iter().map(|text| serde_json::json!({"question": text})).collect();
        let ask = Ask {
            kind: AskKind::Question,
            correlation_id: correlation_id.into(),
            name: "AskUserQuestion".into(),
            input: to_raw_value(&serde_json::json!({"questions": questions})).unwrap(),
            context: Vec::new(),
            resumable: false,
        };
        self.say(AgentEvent::Ask(ask)).await;
    }

    pub(crate) async fn answers(&self, request: u64, outcome: Result<(), String>) {
        self.say(AgentEvent::Answer { request, outcome }).await;
    }
}
