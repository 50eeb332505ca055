//! An agent of your own behind the protocol: a `service_fn` that starts an echo.
//!
//! The echo asks for permission to repeat the message, and then sends it word by word.
//!
//! ```text
//! AGENT_WEBKIT_AUTH_TOKEN=secret ADDR=127.0.0.1:8000 cargo run --features service --example custom_agent
//! curl -X POST http://127.0.0.1:8000/sessions -H 'authorization: Bearer secret'
//! ```

mod support;

use std::{convert::Infallible, env, error::Error};

use agent_webkit::{
    Stack,
    agent::{AgentIo, SessionSpec},
    layers::auth::StaticTokens,
    proto::{AgentCommand, AgentEvent, AgentMessage, Ask, AskKind, Decision, Delta, TurnEnd},
    service::Policy,
};
use axum::Router;
use serde_json::{json, value::to_raw_value};
use tokio::sync::mpsc;
use tower::service_fn;

/// Starts an echo, which ends when the session drops its end of the command channel.
async fn start(_: SessionSpec) -> Result<AgentIo, Infallible> {
    let (commands, heard) = mpsc::channel(8);
    let (say, events) = mpsc::channel(64);
    tokio::spawn(async move {
        // Sending fails once the session has ended; then there is nothing left to do.
        let _ = echo(heard, say).await;
    });
    Ok(AgentIo { commands, events })
}

async fn echo(
    mut heard: mpsc::Receiver<AgentCommand>,
    say: mpsc::Sender<AgentEvent>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut told = String::new();
    let mut asked = None;
    while let Some(command) = heard.recv().await {
        match command {
            AgentCommand::User { content, message_uuid, .. } => {
                told = serde_json::from_str(content.get()).unwrap_or_else(|_| content.get().to_owned());
                say.send(AgentEvent::Ask(may_i(&message_uuid, &told)?)).await?;
                asked = Some(message_uuid);
            }
            AgentCommand::Decide { correlation_id: id, decision } => {
                asked = None;
                if let Decision::Allow { .. } = decision {
                    for word in told.split_inclusive(' ') {
                        let delta = Delta::text(word);
                        let message_id = id.clone();
                        say.send(AgentEvent::Delta { message_id, parent_tool_use_id: None, delta }).await?;
                    }
                    say.send(AgentEvent::Message(message(id, &told)?)).await?;
                }
                say.send(AgentEvent::TurnEnded(end("success"))).await?;
            }
            AgentCommand::Interrupt => {
                if let Some(correlation_id) = asked.take() {
                    say.send(AgentEvent::Withdrawn { correlation_id }).await?;
                }
                say.send(AgentEvent::TurnEnded(end("error_during_execution"))).await?;
            }
            AgentCommand::SetPermissionMode { request, .. }
            | AgentCommand::SetModel { request, .. }
            | AgentCommand::StopTask { request, .. } => {
                let outcome = Err("an echo has nothing to set".to_owned());
                say.send(AgentEvent::Answer { request, outcome }).await?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn may_i(id: &str, words: &str) -> serde_json::Result<Ask> {
    Ok(Ask {
        kind: AskKind::Permission,
        correlation_id: id.to_owned(),
        name: "Echo".to_owned(),
        input: to_raw_value(&json!({ "words": words }))?,
        context: Vec::new(),
        resumable: false,
    })
}

fn message(id: String, text: &str) -> serde_json::Result<AgentMessage> {
    let blocks = vec![to_raw_value(&json!({ "type": "text", "text": text }))?];
    Ok(AgentMessage { id, parent_tool_use_id: None, blocks, extra: Vec::new() })
}

fn end(subtype: &str) -> TurnEnd {
    let (subtype, extra) = (subtype.to_owned(), Vec::new());
    TurnEnd { subtype, turn_cost_usd: Some(0.0), process_cost_usd: None, unprompted: false, extra }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let token = env::var("AGENT_WEBKIT_AUTH_TOKEN")
        .map_err(|_| "AGENT_WEBKIT_AUTH_TOKEN is not set: this example needs a token, on loopback too")?;
    let listener = support::listen().await?;
    let ended = support::ended()?;

    let stack =
        Stack::builder(service_fn(start), Policy::new(["."])?).auth(StaticTokens::new([token])?).build();
    let sessions = stack.sessions().clone();

    support::announce(&listener, "")?;
    let shutdown = async move {
        ended.await;
        sessions.shutdown().await;
    };
    axum::serve(listener, Router::new().fallback_service(stack)).with_graceful_shutdown(shutdown).await?;
    Ok(())
}
