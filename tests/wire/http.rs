//! The rules that hold for every route, on HTTP/1.1 and HTTP/2.

use std::time::Duration;

use http::{HeaderValue, Method};
use serde_json::json;

use crate::support::{Script, Server, Session};

const UNKNOWN: &str = "/sessions/a76c1a39-6d6e-4a53-ba9b-2f6f1a3a7a3b";

#[tokio::test]
async fn without_the_token_nothing_is_revealed() {
    let server = Server::start().await;
    let id = server.client().created(&json!({})).await;
    let known = format!("/sessions/{id}/stream");
    let unknown = format!("{UNKNOWN}/stream");
    for token in [None, Some("wrong"), Some("")] {
        let stranger = server.client().with_token(token);
        for (method, path) in [
            (Method::GET, known.as_str()),
            (Method::GET, unknown.as_str()),
            (Method::POST, "/sessions"),
            (Method::PUT, "/sessions"),
            (Method::DELETE, UNKNOWN),
        ] {
            let reply = stranger.ask(method.clone(), path, &[], "{").await;
            assert_eq!(reply.status, 401, "{method} {path} with {token:?}");
            assert_eq!(reply.header("www-authenticate").map(|value| &value[..6]), Some("Bearer"));
            assert!(!reply.detail().is_empty());
        }
    }
}

#[tokio::test]
async fn unknown_paths_and_sessions_are_404() {
    let server = Server::start().await;
    let client = server.client();
    for (method, path) in [
        (Method::GET, "/nothing".to_owned()),
        (Method::GET, format!("{UNKNOWN}/nothing")),
        (Method::GET, UNKNOWN.to_owned()),
        (Method::GET, format!("{UNKNOWN}/stream")),
        (Method::POST, format!("{UNKNOWN}/input")),
        (Method::GET, "/sessions/../sessions".to_owned()),
    ] {
        let reply = client.ask(method.clone(), &path, &[], r#"{"type":"interrupt"}"#).await;
        assert_eq!(reply.status, 404, "{method} {path}");
        assert!(!reply.detail().is_empty());
    }
}

#[tokio::test]
async fn other_methods_are_405_and_the_right_ones_are_listed() {
    let server = Server::start().await;
    let client = server.client();
    let id = client.created(&json!({})).await;
    for (path, methods) in [
        ("/sessions".to_owned(), &["GET", "HEAD", "POST"][..]),
        (format!("/sessions/{id}"), &["GET", "HEAD", "DELETE"]),
        (format!("/sessions/{id}/stream"), &["GET", "HEAD"]),
        (format!("/sessions/{id}/input"), &["POST"]),
    ] {
        let refused = client.ask(Method::PATCH, &path, &[], "").await;
        assert_eq!(refused.status, 405, "{path}");
        assert!(!refused.detail().is_empty());
        let options = client.ask(Method::OPTIONS, &path, &[], "").await;
        assert!(options.status.is_success(), "{path}: {options:?}");
        for reply in [refused, options] {
            let allow: Vec<_> = reply.header("allow").unwrap_or_default().split(',').map(str::trim).collect();
            for method in methods {
                assert!(allow.contains(method), "{path} allows {allow:?}");
            }
            assert!(!allow.contains(&"PATCH"), "{path} allows {allow:?}");
        }
    }
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let server = Server::start().await;
    let client = server.client();
    let id = client.created(&json!({})).await;
    for (path, content_type) in [
        ("/sessions".to_owned(), "application/json"),
        (format!("/sessions/{id}"), "application/json"),
        (format!("/sessions/{id}/stream"), "text/event-stream"),
    ] {
        let reply = client.ask(Method::HEAD, &path, &[], "").await;
        assert_eq!(reply.status, 200, "{path}");
        assert_eq!(reply.header("content-type"), Some(content_type), "{path}");
        assert!(reply.body.is_empty(), "{path}");
    }
    assert_eq!(client.ask(Method::HEAD, &format!("{UNKNOWN}/stream"), &[], "").await.status, 404);
}

#[tokio::test]
async fn a_stream_has_the_headers_that_keep_proxies_from_holding_it() {
    let server = Server::start().await;
    let client = server.client();
    let id = client.created(&json!({})).await;
    let response = client.stream(&id, None).await;
    for (name, value) in
        [("content-type", "text/event-stream"), ("cache-control", "no-cache"), ("x-accel-buffering", "no")]
    {
        assert_eq!(response.headers().get(name).map(HeaderValue::as_bytes), Some(value.as_bytes()), "{name}");
    }
}

// A worker thread, so that the connection can close while the test blocks on the server's end.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn http2_is_served_the_same() {
    let server = Server::start().await;
    let mut session = Session::create(server.http2(), &json!({})).await;
    let result = session.turn(Script::text("over two")).await.pop().unwrap();
    assert_eq!(result["subtype"], "success");

    assert_eq!(session.input(&json!({"type": "bogus"})).await.status, 400);
    let reply = session.client.get(&format!("{UNKNOWN}/stream")).await;
    assert_eq!(reply.status, 404);
    let response = session.client.stream(&session.id, None).await;
    assert_eq!(response.version(), http::Version::HTTP_2);
    for name in ["connection", "keep-alive", "transfer-encoding"] {
        assert!(!response.headers().contains_key(name), "{name} on HTTP/2");
    }
    drop(response);
    session.close().await;
}

#[tokio::test]
async fn health_needs_no_token() {
    let server = Server::start().await;
    let stranger = server.client().with_token(None);
    assert_eq!(stranger.get("/healthz").await.status, 200);
    assert_eq!(stranger.get("/readyz").await.status, 200);
}

#[tokio::test]
async fn sessions_come_in_pages_if_asked_for() {
    for store in ["memory", "sqlite"] {
        let folder = tempfile::tempdir().unwrap();
        let place = format!("sqlite:{}", folder.path().join("s.db").display());
        let store = if store == "memory" { store } else { &place };
        let server = Server::builder().option("--store", store).start().await;
        let client = server.client();
        let mut made = Vec::new();
        for _ in 0..3 {
            made.push(client.created(&json!({})).await);
            // Those of one millisecond are ordered by their ids.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let page = async |query: &str| {
            let reply = client.get(&format!("/sessions{query}")).await;
            assert_eq!(reply.status, 200, "{reply:?}");
            let page = reply.json();
            let sessions = page["sessions"].as_array().unwrap();
            let ids: Vec<_> =
                sessions.iter().map(|session| session["session_id"].as_str().unwrap().to_owned()).collect();
            (ids, page["next"].as_str().map(str::to_owned))
        };
        assert_eq!(page("").await, (made.clone(), None), "oldest first");
        let newest: Vec<_> = made.iter().rev().cloned().collect();
        let (first, next) = page("?limit=2").await;
        let next = next.expect("another page");
        assert_eq!(first, newest[..2]);
        client.delete(&first[1]).await;
        assert_eq!(page(&format!("?limit=2&before={next}")).await, (newest[2..].to_vec(), None));
        assert_eq!(page("?limit=1000").await.0, [newest[0].clone(), newest[2].clone()]);
        for query in ["limit=0", "limit=many", "before=yesterday"] {
            assert_eq!(client.get(&format!("/sessions?{query}")).await.status, 400, "{query}");
        }
    }
}

#[tokio::test]
async fn sessions_can_be_listed_and_looked_at() {
    let server = Server::start().await;
    let mut session = server.session().await;
    session.turn("hello").await;
    let listed = session.client.get("/sessions").await.json();
    let ids: Vec<_> = listed["sessions"].as_array().unwrap().iter().map(|one| &one["session_id"]).collect();
    assert_eq!(ids, [session.id.as_str()], "{listed}");

    let state = session.client.get(&format!("/sessions/{}", session.id)).await.json();
    assert_eq!(state["status"], "idle", "{state}");
    assert_eq!(state["pending"], json!([]), "{state}");
    assert_eq!(state["oldest_seq"], 1, "{state}");
    assert_eq!(state["as_of_seq"], session.events.last_id(), "{state}");
}

#[tokio::test]
async fn a_head_may_be_long_but_not_endless() {
    let server = Server::start().await;
    let client = server.client();
    for (length, status) in [(16 << 10, 200), (40 << 10, 431)] {
        let cookie = "c".repeat(length);
        let reply = client.ask(Method::GET, "/sessions", &[("cookie", &cookie)], "").await;
        assert_eq!(reply.status, status, "{length} bytes");
    }
}
