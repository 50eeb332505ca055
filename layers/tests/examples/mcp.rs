use agent_webkit_layers::auth::StaticTokens;
use axum::{Router, body::Body, http::Request};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::mcp_host_example;

/// A POST to the server, and the JSON in its answer, which may be the data of an event.
async fn post(
    app: &Router,
    token: &str,
    session: Option<&str>,
    message: &Value,
) -> (StatusCode, HeaderMap, Value) {
    let mut request = Request::post("http://127.0.0.1:8000/mcp")
        .header("host", "127.0.0.1:8000")
        .header("authorization", format!("Bearer {token}"))
        .header("accept", "application/json, text/event-stream")
        .header("content-type", "application/json");
    if let Some(session) = session {
        request = request.header("mcp-session-id", session);
    }
    let answer = app.clone().oneshot(request.body(Body::from(message.to_string())).unwrap()).await.unwrap();
    let (head, mut body) = answer.into_parts();
    let mut text = String::new();
    while let Some(frame) = body.frame().await {
        text.push_str(std::str::from_utf8(frame.unwrap().data_ref().unwrap()).unwrap());
        // A stream may stay open after its answer.
        if text.contains("\"result\"") {
            break;
        }
    }
    let answers = text.lines().map(|line| line.strip_prefix("data:").unwrap_or(line).trim());
    let json = answers.filter_map(|line| serde_json::from_str::<Value>(line).ok()).find(Value::is_object);
    (head.status, head.headers, json.unwrap_or_default())
}

#[tokio::test]
async fn a_tool_knows_who_calls_and_a_stranger_learns_where_tokens_come_from() {
    let tokens = StaticTokens::default().with("ada", "s3cret").unwrap();
    let app = mcp_host_example::app(tokens, "https://mcp.example.com").unwrap();
    let initialize = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"},
    }});

    let (status, headers, _) = post(&app, "guess", None, &initialize).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let challenge = headers["www-authenticate"].to_str().unwrap();
    let url = challenge.split("resource_metadata=\"").nth(1).unwrap().trim_end_matches('"');
    let path = url.strip_prefix("https://mcp.example.com").unwrap();
    let metadata = app.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
    let metadata = metadata.into_body().collect().await.unwrap().to_bytes();
    let metadata: Value = serde_json::from_slice(&metadata).unwrap();
    assert_eq!(metadata["resource"], "https://mcp.example.com/mcp");
    assert_eq!(metadata["authorization_servers"], json!(["https://id.example.com"]));

    let (status, headers, answer) = post(&app, "s3cret", None, &initialize).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert!(answer["result"]["capabilities"]["tools"].is_object(), "{answer}");
    let session = headers["mcp-session-id"].to_str().unwrap();
    let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(post(&app, "s3cret", Some(session), &initialized).await.0, StatusCode::ACCEPTED);
    let call = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "greet", "arguments": {}}});
    let (_, _, answer) = post(&app, "s3cret", Some(session), &call).await;
    assert_eq!(answer["result"]["content"][0]["text"], "Hello, ada.", "{answer}");
}
