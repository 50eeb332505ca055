//! An agent that runs in the server's process.

use std::convert::Infallible;

use agent_webkit::{
    agent::{AgentIo, SessionSpec},
    proto::{AgentCommand, AgentEvent, Delta, TurnEnd},
};
use tokio::sync::mpsc::{self, error::SendError};

use agent_webkit_load::script::{Script, filler, stamp};

/// Starts an agent that follows [`Script`]s.
pub async fn start(_: SessionSpec) -> Result<AgentIo, Infallible> {
    let (commands, heard) = mpsc::channel(8);
    let (say, events) = mpsc::channel(1024);
    tokio::spawn(async move {
        let _ = follow(heard, say).await;
    });
    Ok(AgentIo { commands, events })
}

async fn follow(
    mut heard: mpsc::Receiver<AgentCommand>,
    say: mpsc::Sender<AgentEvent>,
) -> Result<(), SendError<AgentEvent>> {
    while let Some(command) = heard.recv().await {
        let AgentCommand::User { content, .. } = command else { continue };
        match Script::parse(content.get()) {
            Some(Script::Burst { events, bytes }) => {
                let text = Delta::text(&filler(bytes));
                for _ in 0..events {
                    say.send(delta(text.clone())).await?;
                }
            }
            Some(Script::Trickle { events, pause }) => {
                let mut ticks = tokio::time::interval(pause);
                for _ in 0..events {
                    ticks.tick().await;
                    say.send(delta(Delta::text(&stamp()))).await?;
                }
            }
            None => {}
        }
        say.send(AgentEvent::TurnEnded(end())).await?;
    }
    Ok(())
}

fn delta(delta: Delta) -> AgentEvent {
    AgentEvent::Delta { message_id: "msg_1".to_owned(), parent_tool_use_id: None, delta }
}

fn end() -> TurnEnd {
    TurnEnd {
        subtype: "success".to_owned(),
        turn_cost_usd: Some(0.0),
        process_cost_usd: None,
        unprompted: false,
        extra: Vec::new(),
    }
}
