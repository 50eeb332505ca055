//! The stack inside an axum application, below `/agents`.
//!
//! The environment configures it, as for `agent-webkit serve` (`AGENT_WEBKIT_AUTH_TOKEN`,
//! `AGENT_WEBKIT_WORKSPACE`, …); `ADDR` is the address to listen on.
//!
//! ```text
//! AGENT_WEBKIT_AUTH_TOKEN=secret ADDR=127.0.0.1:8000 cargo run --features cli --example axum
//! curl -X POST http://127.0.0.1:8000/agents/sessions -H 'authorization: Bearer secret'
//! ```

mod support;

use std::error::Error;

use agent_webkit::settings::Settings;
use axum::{Router, routing::get, serve::ListenerExt};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let settings = Settings::from_env()?;
    let listener = support::listen().await?;
    settings.check_exposure([listener.local_addr()?.ip()])?;
    let ended = support::ended()?;

    let server = settings.launch().await?;
    let sessions = server.stack.sessions().clone();
    let app = Router::new()
        .route("/", get(|| async { "an application that has agents, too" }))
        .nest_service("/agents", server.stack);

    support::announce(&listener, "/agents")?;
    // An agent writes in small pieces, each of which should be sent at once.
    let listener = listener.tap_io(|connection| drop(connection.set_nodelay(true)));
    // Streams end when the sessions and their storage shut down. Without that, axum would wait for their
    // readers.
    let shutdown = async move {
        ended.await;
        sessions.shutdown().await;
        server.store.shutdown().await;
    };
    axum::serve(listener, app).with_graceful_shutdown(shutdown).await?;
    Ok(())
}
