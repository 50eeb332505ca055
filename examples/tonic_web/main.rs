//! A tonic server with a greeter for gRPC and grpc-web, and the stack on the same port, below `/agents`.
//!
//! The stack is mounted beside the greeter, not behind its [`GrpcWebLayer`], which answers 400 to every
//! HTTP/1.1 request that is not grpc-web.
//!
//! The environment configures it, as for `agent-webkit serve` (`AGENT_WEBKIT_AUTH_TOKEN`,
//! `AGENT_WEBKIT_WORKSPACE`, …); `ADDR` is the address to listen on.
//!
//! ```text
//! AGENT_WEBKIT_AUTH_TOKEN=secret ADDR=127.0.0.1:8000 cargo run --example tonic_web
//! curl -X POST http://127.0.0.1:8000/agents/sessions -H 'authorization: Bearer secret'
//! ```

mod greeter;
#[path = "../support/mod.rs"]
mod support;

use std::error::Error;

use agent_webkit::settings::Settings;
use greeter::Greeter;
use tonic::{
    service::Routes,
    transport::{Server, server::TcpIncoming},
};
use tonic_web::GrpcWebLayer;
use tower::Layer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let settings = Settings::from_env()?;
    let listener = support::listen().await?;
    settings.check_exposure([listener.local_addr()?.ip()])?;
    let ended = support::ended()?;

    let server = settings.launch().await?;
    let sessions = server.stack.sessions().clone();
    let greeter = Routes::new(GrpcWebLayer::new().layer(Greeter));
    let routes = Routes::from(greeter.into_axum_router().nest_service("/agents", server.stack));

    support::announce(&listener, "/agents")?;
    // Streams end when the sessions and their storage shut down. Without that, tonic would wait for their
    // readers.
    let shutdown = async move {
        ended.await;
        sessions.shutdown().await;
        server.store.shutdown().await;
    };
    Server::builder()
        .accept_http1(true)
        .add_routes(routes)
        // An agent writes in small pieces, each of which should be sent at once.
        .serve_with_incoming_shutdown(TcpIncoming::from(listener).with_nodelay(Some(true)), shutdown)
        .await?;
    Ok(())
}
