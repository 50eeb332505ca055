//! The practice model alone, for a `claude` of your own. It answers by the script in the prompt; the module
//! `agent_webkit::practice` documents scripts.
//!
//! ```text
//! ADDR=127.0.0.1:9000 cargo run --features practice --example practice_model
//! ANTHROPIC_BASE_URL=http://127.0.0.1:9000 ANTHROPIC_API_KEY=any claude -p '<<{"steps": ["Hello!"]}>>'
//! ```

use std::{
    env,
    io::{self, Write},
};

use agent_webkit::practice::Model;
use tokio::signal::{
    ctrl_c,
    unix::{SignalKind, signal},
};

#[tokio::main]
async fn main() -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let model = Model::bind(env::var("ADDR").as_deref().unwrap_or("127.0.0.1:0")).await?;
    let mut stdout = io::stdout();
    writeln!(stdout, "listening on {}", model.url())?;
    stdout.flush()?;
    tokio::select! {
        ended = ctrl_c() => ended?,
        _ = terminate.recv() => {}
    }
    model.shutdown().await;
    Ok(())
}
