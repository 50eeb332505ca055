//! A chat for the AI SDK: after a reload of the page `useChat` finds the running answer again, with its option `resume`. The
//! page sends each message to the path of its chat, for which its `DefaultChatTransport` has one option:
//! ``prepareSendMessagesRequest: ({ api, id, messages }) => ({ api: `${api}/${id}`, body: { messages } })``

use std::{convert::Infallible, error::Error, time::Duration};

use agent_webkit_layers::resume::{Asked, RecordLayer, RingLog};
use axum::{
    Router,
    body::Bytes,
    http::{Method, StatusCode, request::Parts},
    middleware::map_response,
    response::{IntoResponse, Response, Sse, sse::Event},
    routing::post,
};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::{net::TcpListener, time::sleep};
use uuid::Uuid;

/// `POST /api/chat/{id}` starts the newest answer of a chat, `GET /api/chat/{id}/stream` reads it.
fn chat(request: &Parts) -> Asked {
    let id = request.uri.path().strip_prefix("/api/chat/").unwrap_or_default();
    match (&request.method, id.strip_suffix("/stream")) {
        (&Method::GET, Some(id)) => Asked::Existing(id.to_owned()),
        (&Method::POST, None) => Asked::Anew(id.to_owned()),
        _ => Asked::Nothing,
    }
}

/// The chat, which repeats each message at this pace.
pub(crate) fn app(pace: Duration) -> Router {
    let chats = Router::new().route("/api/chat/{id}", post(move |body| answer(body, pace)));
    chats.layer(RecordLayer::new(RingLog::default(), chat)).layer(map_response(async |answer: Response| {
        // The SDK needs a 204 if there is nothing to resume.
        if answer.status() == StatusCode::NOT_FOUND { StatusCode::NO_CONTENT.into_response() } else { answer }
    }))
}

async fn answer(body: Bytes, pace: Duration) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let said = body["messages"].as_array().and_then(|messages| messages.last()?["parts"][0]["text"].as_str());
    let mut parts = vec![
        json!({"type": "start", "messageId": Uuid::new_v4().to_string()}),
        json!({"type": "text-start", "id": "text"}),
    ];
    let words = said.unwrap_or_default().split_inclusive(' ');
    parts.extend(words.map(|word| json!({"type": "text-delta", "id": "text", "delta": word})));
    parts.extend([json!({"type": "text-end", "id": "text"}), json!({"type": "finish"})]);
    let paced = stream::iter(parts).then(move |part| async move {
        sleep(pace).await;
        Ok::<_, Infallible>(Event::default().data(part.to_string()))
    });
    Sse::new(paced).into_response()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    Ok(axum::serve(TcpListener::bind("127.0.0.1:8000").await?, app(Duration::from_millis(50))).await?)
}
