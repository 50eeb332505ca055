//! Makes the streams of any OpenAI-compatible API resumable. The upstream does not change, and is called once for each
//! stream.
//!
//! ```text
//! UPSTREAM=http://127.0.0.1:11434 cargo run -p agent-webkit-layers --all-features --example openai_proxy
//! curl -iN http://127.0.0.1:8000/v1/chat/completions -H 'content-type: application/json' \
//!     -d '{"model":"m","stream":true,"messages":[{"role":"user","content":"Hello."}]}'
//! curl -N http://127.0.0.1:8000/v1/chat/completions -H 'stream-id: …' -H 'last-event-id: 7'
//! curl -X DELETE http://127.0.0.1:8000/v1/chat/completions -H 'stream-id: …'
//! ```
//!
//! The first answer has the `stream-id`. The second request goes on after event 7, and the third one stops the upstream.

use std::{env, error::Error, time::Duration};

use agent_webkit_layers::{
    relay::RelayLayer,
    resume::{RecordLayer, RingLog, Sse, StreamIds},
};
use axum::{Router, body::Body, http::Uri, http::request::Parts};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::net::TcpListener;
use tower::ServiceBuilder;
use uuid::Uuid;

/// The proxy in front of an upstream.
pub(crate) fn app(upstream: Uri) -> Router {
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let record = RecordLayer::new(RingLog::default(), StreamIds::new(|| Uuid::new_v4().to_string()));
    let proxy = ServiceBuilder::new()
        // Clients reconnect after half a second.
        .layer(record.framing(Sse::new().retry(Duration::from_millis(500))))
        .layer(RelayLayer::new(client, move |_: &Parts| Some(upstream.clone())))
        // Everything is relayed, so nothing comes here.
        .service(Router::new());
    Router::new().fallback_service(proxy)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let upstream = env::var("UPSTREAM")?.parse()?;
    let address = env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:8000".to_owned());
    axum::serve(TcpListener::bind(address).await?, app(upstream)).await?;
    Ok(())
}
