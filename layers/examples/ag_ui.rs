//! A backend of the AG-UI protocol whose runs survive a dropped connection. It says what the user has said.
//!
//! ```text
//! cargo run -p agent-webkit-layers --all-features --example ag_ui
//! curl -iN http://127.0.0.1:8000/agent -d '{"threadId":"t","runId":"r","messages":[{"role":"user","content":"Hello."}]}'
//! curl -N http://127.0.0.1:8000/agent -H 'stream-id: …' -H 'last-event-id: 3'
//! ```

use std::{convert::Infallible, env, error::Error, time::Duration};

use agent_webkit_layers::resume::{RecordLayer, RingLog, StreamIds};
use axum::{
    Router,
    body::Bytes,
    http::StatusCode,
    response::{IntoResponse, Response, Sse, sse::Event},
    routing::any,
};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::{net::TcpListener, time::sleep};
use uuid::Uuid;

/// The backend, with this time between two events.
pub(crate) fn app(pace: Duration) -> Router {
    let record = RecordLayer::new(RingLog::default(), StreamIds::new(|| Uuid::new_v4().to_string()));
    Router::new().route("/agent", any(move |input| run(input, pace))).layer(record)
}

async fn run(input: Bytes, pace: Duration) -> Response {
    let Ok(input) = serde_json::from_slice::<Value>(&input) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let said = input["messages"].as_array().and_then(|messages| messages.last()?["content"].as_str());
    let (thread, run, message) = (&input["threadId"], &input["runId"], Uuid::new_v4().to_string());
    let mut events = vec![
        json!({"type": "RUN_STARTED", "threadId": thread, "runId": run}),
        json!({"type": "TEXT_MESSAGE_START", "messageId": message, "role": "assistant"}),
    ];
    for word in said.unwrap_or("Nothing?").split_inclusive(' ') {
        events.push(json!({"type": "TEXT_MESSAGE_CONTENT", "messageId": message, "delta": word}));
    }
    events.push(json!({"type": "TEXT_MESSAGE_END", "messageId": message}));
    events.push(json!({"type": "RUN_FINISHED", "threadId": thread, "runId": run}));
    let paced = stream::iter(events).then(move |event| async move {
        sleep(pace).await;
        Ok::<_, Infallible>(Event::default().data(event.to_string()))
    });
    Sse::new(paced).into_response()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:8000".to_owned());
    axum::serve(TcpListener::bind(address).await?, app(Duration::from_millis(50))).await?;
    Ok(())
}
