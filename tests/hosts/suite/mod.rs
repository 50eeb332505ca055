//! The tests. Each gets its own host; `main` lists them.

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

/// The path of a session that does not exist, with a well-formed id.
const UNKNOWN: &str = "/sessions/a76c1a39-6d6e-4a53-ba9b-2f6f1a3a7a3b";

/// Makes the agent send this many words, one event each.
async fn words(agent: &Far, words: usize) {
    for word in 0..words {
        let delta = Delta::text(&format!("w{word} "));
        agent.say(AgentEvent::Delta { message_id: "m".into(), parent_tool_use_id: None, delta }).await;
    }
}
