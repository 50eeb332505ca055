//! Generative UI: the agent shows a card by calling a tool. It prints the schema that clients read, and each card.
//!
//! ```text
//! cargo run --features tools --example genui -- "How is the weather in Paris?"
//! ```

use std::{env, error::Error};

use agent_webkit::{
    Stack,
    claude::Claude,
    genui::GenUi,
    layers::{auth::Disabled, resume::Cursor},
    proto::client::ServerEvent,
    service::{NewSession, Policy},
};

/// A card with the weather of a city.
#[derive(serde::Deserialize, schemars::JsonSchema)]
struct WeatherCard {
    /// The name of the city.
    city: String,
    /// The temperature in degrees Celsius.
    temperature: f64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let genui = GenUi::new().component::<WeatherCard>();
    println!("{}", genui.schema());
    let claude = Claude::new(Claude::discover().ok_or("there is no claude on the PATH")?).genui(&genui);
    let stack = Stack::builder(claude, Policy::new(["."])?).auth(Disabled).genui(genui).build();
    let session = stack.sessions().create(NewSession::new()).await?;
    session.send(env::args().nth(1).ok_or("ask something")?).await?;
    let mut events = session.events(Cursor::Oldest);
    while let Some(event) = events.next().await {
        match event?.event {
            ServerEvent::ToolUse(call) if call.tool_name == "mcp__genui__render_weather_card" => {
                let card: WeatherCard = serde_json::from_value(call.input)?;
                println!("+ {}: {} degrees", card.city, card.temperature);
            }
            ServerEvent::Result(_) => session.close().await?,
            _ => {}
        }
    }
    stack.sessions().shutdown().await;
    Ok(())
}
