//! The tests, each given a host that was started for it. `main` lists them.

mod ending;
mod inputs;
mod resuming;
mod routes;
mod sessions;
mod streams;

pub(crate) use ending::*;
pub(crate) use inputs::*;
pub(crate) use resuming::*;
pub(crate) use routes::*;
pub(crate) use sessions::*;
pub(crate) use streams::*;

use agent_webkit::proto::{AgentEvent, Delta};

use crate::fake::Far;

/// A session's id that is well-formed and nobody's.
const UNKNOWN: &str = "/sessions/a76c1a39-6d6e-4a53-ba9b-2f6f1a3a7a3b";

/// The agent says so many words, each one event.
async fn words(agent: &Far, words: usize) {
    for word in 0..words {
        let delta = Delta::text(&format!("w{word} "));
        agent.say(AgentEvent::Delta { message_id: "m".into(), parent_tool_use_id: None, delta }).await;
    }
}
