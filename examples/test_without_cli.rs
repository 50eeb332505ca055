//! How a program that embeds the stack tests itself without the CLI: a scripted agent asks for a permission, and the
//! program's rule answers.
//!
//! ```text
//! cargo run --features testing --example test_without_cli
//! ```

use std::{error::Error, time::Duration};

use agent_webkit::{
    Stack,
    layers::{auth::Disabled, resume::Cursor},
    proto::client::{PermissionRequest, ServerEvent},
    service::{NewSession, Policy},
    testing::{FakeAgent, Turn},
};
use serde_json::json;

/// The rule to test: nothing is deleted.
fn may_run(asked: &PermissionRequest) -> bool {
    !asked.input["command"].as_str().is_some_and(|command| command.starts_with("rm "))
}

// With the clock paused, the agent's hour takes no time.
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn Error>> {
    let agent = FakeAgent::new(|command| {
        Turn::new().wait(Duration::from_secs(3600)).ask("Bash", json!({ "command": command }), "it ran")
    });
    let stack = Stack::builder(agent, Policy::new(["."])?).auth(Disabled).build();
    let session = stack.sessions().create(NewSession::new()).await?;
    session.send("rm -r /").await?;
    let mut events = session.events(Cursor::Oldest);
    while let Some(event) = events.next().await {
        match event?.event {
            ServerEvent::PermissionRequest(asked) if may_run(&asked) => {
                session.allow(asked.correlation_id).await?;
            }
            ServerEvent::PermissionRequest(asked) => session.deny(asked.correlation_id, "not here").await?,
            ServerEvent::ToolResult(result) => assert_eq!(result.output, "not here"),
            ServerEvent::Result(_) => break,
            _ => {}
        }
    }
    println!("the rule holds");
    Ok(())
}
