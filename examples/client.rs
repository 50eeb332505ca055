//! A client that survives a restart of the server: it asks a question, allows what the agent asks for, and prints the
//! answer, over as many connections as it takes.
//!
//! ```sh
//! AGENT_URL=http://127.0.0.1:8000 AGENT_TOKEN=… cargo run --example client --features client -- "What is in this folder?"
//! ```

use std::env::{args, var};

use agent_webkit::{
    client::{Client, NewSession},
    proto::client::ServerEvent,
};
use hyper_util::{client::legacy::Client as Http, rt::TokioExecutor};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let http = Http::builder(TokioExecutor::new()).build_http();
    let client = Client::new(http, var("AGENT_URL")?.parse()?).credential(var("AGENT_TOKEN")?);
    let session = client.create(&NewSession::default()).await?;
    session.say(args().nth(1).unwrap_or_else(|| "Hello.".to_owned())).await?;
    let mut events = session.events();
    while let Some(item) = events.next().await {
        match item?.event() {
            Some(ServerEvent::MessageDelta(piece)) => print!("{}", piece.text().unwrap_or_default()),
            Some(ServerEvent::PermissionRequest(asked)) => session.allow(&asked.correlation_id).await?,
            Some(ServerEvent::Result(_)) => break,
            _ => {}
        }
    }
    Ok(session.delete().await?)
}
