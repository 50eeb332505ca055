//! `rmcp`'s event store and session store over a log in memory.
#![cfg(feature = "rmcp")]

use std::{sync::Arc, time::Duration};

use agent_webkit_layers::{
    mcp::McpLog,
    resume::{EventLog, RingConfig, RingLog},
};
use axum::body::Body;
use futures_util::StreamExt;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use rmcp::{
    ServerHandler,
    model::ServerJsonRpcMessage,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService,
        session::{
            EventStore, ServerSseMessage, SessionState, SessionStore, local::LocalSessionManager,
            never::NeverSessionManager,
        },
    },
};
use serde_json::{Value, json};

fn message(json: &Value) -> ServerSseMessage {
    ServerSseMessage::from_message(serde_json::from_value(json.clone()).unwrap())
}

fn progress(number: u32) -> ServerSseMessage {
    message(
        &json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": 1, "progress": number}}),
    )
}

fn response() -> ServerSseMessage {
    message(&json!({"jsonrpc": "2.0", "id": 7, "result": {"content": [{"type": "text", "text": "done"}]}}))
}

fn as_json(message: &ServerSseMessage) -> Value {
    message
        .message
        .as_ref()
        .map_or(Value::Null, |message: &Arc<ServerJsonRpcMessage>| serde_json::to_value(&**message).unwrap())
}

/// Why an id is refused.
async fn refusal(log: &McpLog<RingLog>, id: &str) -> String {
    match log.replay_events_after(id).await {
        Ok(_) => panic!("{id} is taken"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn messages_of_every_kind_come_back_as_they_were_with_their_ids() {
    let log = McpLog::new(RingLog::default());
    let retry = Duration::from_millis(1500);
    let first = log.store_event("call", &ServerSseMessage::retry(retry)).await.unwrap();
    let messages = [
        json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": "a\nb", "progress": 0.5, "total": 1.0, "message": "half"}}),
        json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": {"deep": [1, null, "\u{2028}"]}}}),
        json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}),
        json!({"jsonrpc": "2.0", "id": "x", "method": "sampling/createMessage", "params": {"messages": [{"role": "user", "content": {"type": "text", "text": "hi"}}], "maxTokens": 9}}),
        json!({"jsonrpc": "2.0", "id": 3, "method": "elicitation/create", "params": {"message": "Who?", "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}}}}),
        json!({"jsonrpc": "2.0", "id": 7, "result": {"content": [{"type": "text", "text": "done"}], "structuredContent": {"n": 1}, "isError": false}}),
    ];
    let sent: Vec<_> = messages.iter().map(message).collect();
    let mut ids = Vec::new();
    for message in &sent {
        ids.push(log.store_event("call", message).await.unwrap());
    }
    let (stream, _) = first.rsplit_once('/').unwrap();
    let priming = log.replay_events_after(&format!("{stream}/0")).await.unwrap().next().await.unwrap();
    assert_eq!((priming.event_id, priming.retry), (Some(first.clone()), Some(retry)));
    assert!(priming.message.is_none());
    for start in 0..ids.len() {
        let after = if start == 0 { &first } else { &ids[start - 1] };
        // The stream ends with the response.
        let read: Vec<_> = log.replay_events_after(after).await.unwrap().collect().await;
        assert_eq!(
            read.iter().map(as_json).collect::<Vec<_>>(),
            sent[start..].iter().map(as_json).collect::<Vec<_>>()
        );
        assert_eq!(
            read.iter().map(|message| message.event_id.clone().unwrap()).collect::<Vec<_>>(),
            ids[start..]
        );
        assert!(read.iter().all(|message| message.retry.is_none()));
    }
}

#[tokio::test]
async fn a_resumed_stream_goes_on_with_what_is_stored_later() {
    let log = McpLog::new(RingLog::default());
    let first = log.store_event("call", &progress(1)).await.unwrap();
    let mut resumed = log.replay_events_after(&first).await.unwrap();
    let other = log.store_event("other call", &progress(9)).await.unwrap();
    let second = log.store_event("call", &progress(2)).await.unwrap();
    assert_eq!(resumed.next().await.unwrap().event_id, Some(second));
    let last = log.store_event("call", &response()).await.unwrap();
    assert_eq!(resumed.next().await.unwrap().event_id, Some(last));
    assert!(resumed.next().await.is_none());
    assert!(other.starts_with("other call/"));
}

#[tokio::test]
async fn a_late_response_does_not_end_the_stream_of_a_session() {
    let log = McpLog::new(RingLog::default());
    let first = log.store_event("session:common", &response()).await.unwrap();
    let mut resumed = log.replay_events_after(&first).await.unwrap();
    let second = log.store_event("session:common", &progress(1)).await.unwrap();
    assert_eq!(resumed.next().await.unwrap().event_id, Some(second));
}

#[tokio::test]
async fn ids_that_are_not_known_are_refused() {
    let ring = RingLog::new(RingConfig::default().window_events(2));
    let log = McpLog::new(ring.clone());
    let first = log.store_event("session:common", &progress(1)).await.unwrap();
    for number in 2..=4 {
        log.store_event("session:common", &progress(number)).await.unwrap();
    }
    assert_eq!(
        refusal(&log, &first).await,
        "the events after 1 are no longer all held: the oldest held is 3"
    );
    let (stream, _) = first.rsplit_once('/').unwrap();
    assert_eq!(refusal(&log, &format!("{stream}/9")).await, "event 9 was never sent: the newest event is 4");
    // A stream of the log that is no stream of `rmcp`, and ids of other servers.
    ring.open("secret").await.unwrap();
    for id in ["secret/0/0", "session:common/0/4", "4", "", "0/1"] {
        assert_eq!(
            refusal(&log, id).await,
            "there is no event with this id, or its stream is forgotten",
            "{id}"
        );
    }
}

#[tokio::test]
async fn an_id_of_a_forgotten_stream_does_not_name_an_event_of_its_successor() {
    let ring = RingLog::default();
    let log = McpLog::new(ring.clone());
    let old = log.store_event("session:common", &progress(1)).await.unwrap();
    let (stream, _) = old.rsplit_once('/').unwrap();
    ring.forget("mcp-stream:session:common").await.unwrap();
    // Its name is the time in ms.
    let new = loop {
        let new = log.store_event("session:common", &progress(1)).await.unwrap();
        if !new.starts_with(stream) {
            break new;
        }
        ring.forget("mcp-stream:session:common").await.unwrap();
    };
    assert!(new.ends_with("/1"), "{new}");
    refusal(&log, &old).await;
    assert!(log.replay_events_after(&new).await.is_ok());
}

#[tokio::test]
async fn idle_streams_and_sessions_are_forgotten() {
    let ring = RingLog::default();
    let log = McpLog::new(ring.clone()).retain(Duration::ZERO).retain_sessions(Duration::ZERO);
    log.store("session", &state()).await.unwrap();
    let id = log.store_event("session:common", &progress(1)).await.unwrap();
    // Every message is an occasion to look.
    for number in 0.. {
        tokio::task::yield_now().await;
        let known = log.replay_events_after(&id).await.is_ok();
        if !known && log.load("session").await.unwrap().is_none() {
            break;
        }
        assert!(number < 100_000, "nothing is forgotten");
        log.store_event("other", &progress(number)).await.unwrap();
    }
}

fn state() -> SessionState {
    serde_json::from_value(json!({"initialize_params": {
        "protocolVersion": "2025-11-25", "capabilities": {"roots": {}}, "clientInfo": {"name": "test", "version": "1"},
    }}))
    .unwrap()
}

#[tokio::test]
async fn a_session_is_restored_until_it_is_deleted() {
    let log = McpLog::new(RingLog::default());
    assert!(log.load("6b0d").await.unwrap().is_none());
    for _ in 0..2 {
        log.store("6b0d", &state()).await.unwrap();
    }
    let loaded = log.load("6b0d").await.unwrap().unwrap();
    assert_eq!(serde_json::to_value(loaded).unwrap(), serde_json::to_value(state()).unwrap());
    log.delete("6b0d").await.unwrap();
    assert!(log.load("6b0d").await.unwrap().is_none());
}

#[derive(Clone)]
struct Nothing;

impl ServerHandler for Nothing {}

/// What `rmcp` makes of a refusal, so that users know.
#[tokio::test]
async fn rmcp_answers_an_unknown_id_with_an_empty_stream() {
    let log = Arc::new(McpLog::new(RingLog::default()));
    log.store("6b0d", &state()).await.unwrap();
    let mut config = StreamableHttpServerConfig::default();
    config.session_store = Some(log.clone());
    let sessions = LocalSessionManager::default().with_event_store(log.clone());
    let with_sessions = StreamableHttpService::new(|| Ok(Nothing), Arc::new(sessions), config.clone());
    let never = NeverSessionManager::default().with_event_store(log);
    let without =
        StreamableHttpService::new(|| Ok(Nothing), Arc::new(never), config.with_legacy_session_mode(false));
    let request = |version: &str| {
        let request = Request::get("/mcp").header("host", "localhost").header("accept", "text/event-stream");
        let request = request.header("mcp-session-id", "6b0d").header("mcp-protocol-version", version);
        request.header("last-event-id", "6b0d/0/7").body(Body::empty()).unwrap()
    };
    for answer in
        [with_sessions.handle(request("2025-11-25")).await, without.handle(request("2026-07-28")).await]
    {
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "");
    }
}
