//! A policy in code: it allows one command and denies another, and people are asked for the rest. It prints who decided.
//!
//! ```text
//! cargo run --example policy -- "Tidy up here."
//! ```

use std::{convert::Infallible, env, error::Error};

use agent_webkit::{
    Stack,
    approvals::{Ask, Verdict},
    claude::Claude,
    layers::{auth::Disabled, resume::Cursor},
    proto::client::ServerEvent,
    service::{NewSession, Policy},
};
use tower::service_fn;

async fn decide(ask: Ask) -> Result<Verdict, Infallible> {
    Ok(match ask.command() {
        Some("touch tidy") => Verdict::allow(),
        Some(command) if command.contains("rm ") => Verdict::deny("Nothing is deleted here."),
        _ => Verdict::Pass,
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let claude = Claude::new(Claude::discover().ok_or("there is no claude on the PATH")?);
    let claude = claude.decide(service_fn(decide));
    let stack = Stack::builder(claude, Policy::new(["."])?).auth(Disabled).build();
    let session = stack.sessions().create(NewSession::new()).await?;
    session.send(env::args().nth(1).ok_or("ask something")?).await?;
    let mut events = session.events(Cursor::Oldest);
    while let Some(event) = events.next().await {
        match event?.event {
            ServerEvent::PermissionRequest(asked) => {
                println!("you are asked for {}", asked.input);
                session.allow(asked.correlation_id).await?;
            }
            ServerEvent::PromptResolved(resolved) => {
                let by = resolved.by.as_deref().unwrap_or("you");
                println!("{by}: {}", resolved.behavior.unwrap_or_default());
            }
            ServerEvent::Result(_) => session.close().await?,
            _ => {}
        }
    }
    stack.sessions().shutdown().await;
    Ok(())
}
