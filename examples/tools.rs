//! A tool that runs in this program: the agent looks up a price with it. It prints what the tool returned, and the answer.
//!
//! ```text
//! cargo run --features tools --example tools -- "What does a pear cost?"
//! ```

use std::{env, error::Error, time::Duration};

use agent_webkit::{
    Stack,
    claude::Claude,
    layers::{auth::Disabled, resume::Cursor},
    proto::client::{MessageDelta, Piece, ServerEvent},
    service::{NewSession, Policy},
    tools::{Permission, Tool, ToolCall, ToolOutput, Tools},
};
use tower::ServiceBuilder;

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Fruit {
    /// The name of the fruit.
    name: String,
}

async fn price(call: ToolCall<Fruit>) -> Result<ToolOutput, String> {
    match call.input.name.as_str() {
        "pear" => Ok(ToolOutput::text("40 cents")),
        other => Err(format!("There is no {other} in the shop.")),
    }
}

fn shop() -> Tools {
    let price = ServiceBuilder::new().timeout(Duration::from_secs(5)).service_fn(price);
    Tools::new()
        .tool(Tool::new("price", "Returns the price of a fruit.", price).permission(Permission::Allow))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let claude =
        Claude::new(Claude::discover().ok_or("there is no claude on the PATH")?).tools("shop", shop());
    let stack = Stack::builder(claude, Policy::new(["."])?).auth(Disabled).build();
    let session = stack.sessions().create(NewSession::new()).await?;
    session.send(env::args().nth(1).ok_or("ask something")?).await?;
    let mut events = session.events(Cursor::Oldest);
    while let Some(event) = events.next().await {
        match event?.event {
            ServerEvent::MessageDelta(MessageDelta { delta: Piece::Text { text }, .. }) => print!("{text}"),
            ServerEvent::ToolResult(result) => println!("[{}]", result.output),
            ServerEvent::Result(_) => session.close().await?,
            _ => {}
        }
    }
    stack.sessions().shutdown().await;
    Ok(())
}
