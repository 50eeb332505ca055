//! The examples, with upstreams and clients of the tests.
#![cfg(all(
    feature = "auth",
    feature = "builder",
    feature = "lookup",
    feature = "relay",
    feature = "resume"
))]

mod mcp;
mod npm;
mod rig;
mod tenants;

#[expect(dead_code, reason = "the tests serve the app themselves")]
#[path = "../../examples/ag_ui.rs"]
mod ag_ui_example;
#[expect(dead_code, reason = "the tests serve the app themselves")]
#[path = "../../examples/ai_sdk.rs"]
mod ai_sdk_example;
#[expect(dead_code, reason = "the tests serve the app themselves")]
#[path = "../../examples/mcp_host.rs"]
mod mcp_host_example;
#[expect(dead_code, reason = "the tests serve the app themselves")]
#[path = "../../examples/openai_proxy.rs"]
mod openai_proxy_example;
#[expect(dead_code, reason = "the tests serve the app themselves")]
#[path = "../../examples/tenants.rs"]
mod tenants_example;

use std::{sync::atomic::Ordering, time::Duration};

use axum::{body::Body, http::Request};
use http::StatusCode;
use http_body_util::BodyExt;
use serde_json::json;
use tower::ServiceExt;

/// The examples are short.
#[test]
fn no_example_has_more_than_sixty_lines() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    let paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(paths.len() >= 4);
    for path in paths {
        let lines = std::fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 60, "{} has {lines} lines", path.display());
    }
}

#[tokio::test]
async fn the_proxy_calls_its_upstream_once_goes_on_without_the_client_and_stops_it() {
    let upstream = rig::Completions::default();
    let app = openai_proxy_example::app(rig::serve(upstream.app()).await);
    let post = |builder: http::request::Builder| builder.body(Body::from("{}")).unwrap();
    let first = app.clone().oneshot(post(Request::post("/v1/chat/completions"))).await.unwrap();
    let id = first.headers()["stream-id"].clone();
    let mut body = first.into_body();
    let begin = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(begin, "retry: 500\n\n");
    drop(body);

    let get = || Request::get("/v1/chat/completions").header("stream-id", &id);
    let whole = app.clone().oneshot(post(get())).await.unwrap();
    let whole = whole.into_body().collect().await.unwrap().to_bytes();
    assert!(whole.starts_with(b"retry: 500\n\nid: 1\ndata: {") && whole.ends_with(b"data: [DONE]\n\n"));
    let seventh = whole.windows(7).position(|part| part == b"id: 8\nd").unwrap();
    let rest = app.clone().oneshot(post(get().header("last-event-id", "7"))).await.unwrap();
    let rest = rest.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(rest, [&b"retry: 500\n\n"[..], &whole[seventh..]].concat());
    assert_eq!(upstream.calls.load(Ordering::SeqCst), 1);

    let endless = post(Request::post("/v1/chat/completions").header("x-words", "1000000"));
    let endless = app.clone().oneshot(endless).await.unwrap();
    let id = endless.headers()["stream-id"].clone();
    let stop = post(Request::delete("/v1/chat/completions").header("stream-id", &id));
    assert_eq!(app.clone().oneshot(stop).await.unwrap().status(), StatusCode::NO_CONTENT);
    let text = endless.into_body().collect().await.unwrap().to_bytes();
    assert!(text.ends_with(b"the upstream's stream ended.\"}\n\n"), "{text:?}");
    tokio::time::timeout(Duration::from_secs(60), upstream.dropped()).await.expect("its upstream is dropped");

    let refused = post(Request::post("/v1/chat/completions").header("x-words", "no"));
    let refused = app.oneshot(refused).await.unwrap();
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(!refused.headers().contains_key("stream-id"));
    assert_eq!(refused.into_body().collect().await.unwrap().to_bytes(), "slow down");
}

#[tokio::test]
async fn a_run_of_the_ag_ui_backend_can_be_read_again() {
    let app = ag_ui_example::app(Duration::ZERO);
    let input =
        json!({"threadId": "t", "runId": "r", "messages": [{"role": "user", "content": "Hello again."}]});
    let run = Request::post("/agent").body(Body::from(input.to_string())).unwrap();
    let first = app.clone().oneshot(run).await.unwrap();
    let id = first.headers()["stream-id"].clone();
    let (mut body, mut seen) = (first.into_body(), String::new());
    while !seen.contains("id: 2\n") {
        let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
        seen.push_str(std::str::from_utf8(&frame).unwrap());
    }
    drop(body);
    let again =
        Request::get("/agent").header("stream-id", id).header("last-event-id", "2").body(Body::empty());
    let again = app.oneshot(again.unwrap()).await.unwrap();
    let text = String::from_utf8(again.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap();
    assert!(text.starts_with("id: 3\n") && text.contains(r#""delta":"Hello ""#), "{text}");
    assert!(text.contains("RUN_FINISHED") && text.contains("id: 6\n") && !text.contains("id: 7\n"), "{text}");
}
