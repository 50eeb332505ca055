//! A session in Rust, without HTTP: asks the agent and prints its answer. It allows what the agent asks for.
//!
//! ```text
//! cargo run --example session -- "What is in this folder?"
//! ```

use std::{env, error::Error};

use agent_webkit::{
    Stack,
    claude::Claude,
    layers::{auth::Disabled, resume::Cursor},
    proto::client::{MessageDelta, Piece, ServerEvent},
    service::{NewSession, Policy},
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let claude = Claude::new(Claude::discover().ok_or("there is no claude on the PATH")?);
    let stack = Stack::builder(claude, Policy::new(["."])?).auth(Disabled).build();
    let session = stack.sessions().create(NewSession::new()).await?;
    session.send(env::args().nth(1).ok_or("ask something")?).await?;
    let mut events = session.events(Cursor::Oldest);
    while let Some(event) = events.next().await {
        match event?.event {
            ServerEvent::MessageDelta(MessageDelta { delta: Piece::Text { text }, .. }) => print!("{text}"),
            ServerEvent::PermissionRequest(asked) => session.allow(asked.correlation_id).await?,
            // The turn is over. The last event of the session, `done`, ends the loop.
            ServerEvent::Result(_) => session.close().await?,
            _ => {}
        }
    }
    stack.sessions().shutdown().await;
    Ok(())
}
