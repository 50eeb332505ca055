//! The stack as a part of an axum application, below `/agents`.
//!
//! Configured by the environment like `agent-webkit serve` (`AGENT_WEBKIT_AUTH_TOKEN`,
//! `AGENT_WEBKIT_WORKSPACE`, …); `ADDR` says where to listen.
//!
//! ```text
//! AGENT_WEBKIT_AUTH_TOKEN=secret ADDR=127.0.0.1:8000 cargo run --example axum
//! curl -X POST http://127.0.0.1:8000/agents/sessions -H 'authorization: Bearer secret'
//! ```

use std::{env, error::Error};

use agent_webkit::settings::Settings;
use axum::{Router, routing::get};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let settings = Settings::from_env()?;
    let listener = TcpListener::bind(env::var("ADDR").as_deref().unwrap_or("127.0.0.1:0")).await?;
    let address = listener.local_addr()?;
    settings.check_exposure([address.ip()])?;

    let server = settings.launch().await?;
    let sessions = server.stack.sessions().clone();
    let app = Router::new()
        .route("/", get(|| async { "an application that has agents, too" }))
        .nest_service("/agents", server.stack);

    println!("listening on http://{address}/agents");
    // Streams end by themselves when their sessions do; without that, axum would wait for their readers.
    let ended = async move {
        let _ = tokio::signal::ctrl_c().await;
        sessions.shutdown().await;
    };
    axum::serve(listener, app).with_graceful_shutdown(ended).await?;
    Ok(())
}
