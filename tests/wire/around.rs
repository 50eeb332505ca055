//! Browsers, slow clients, and log output.

use http::Method;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Script, Server, TOKEN};

const PAGE: &str = "https://app.example.com";

#[tokio::test]
async fn a_page_of_a_named_origin_may_use_the_server() {
    let server = Server::builder().option("--cors-origin", PAGE).start().await;
    let stranger = server.client().with_token(None);
    let preflight = [
        ("origin", PAGE),
        ("access-control-request-method", "GET"),
        ("access-control-request-headers", "authorization,last-event-id"),
    ];
    let reply = stranger.ask(Method::OPTIONS, "/sessions", &preflight, "").await;
    assert_eq!((reply.status.as_u16(), reply.header("access-control-allow-origin")), (200, Some(PAGE)));
    assert!(reply.header("access-control-allow-headers").unwrap().contains("last-event-id"));
    let reply = server.client().ask(Method::GET, "/sessions", &[("origin", PAGE)], "").await;
    assert_eq!((reply.status.as_u16(), reply.header("access-control-allow-origin")), (200, Some(PAGE)));
    let reply = stranger.ask(Method::GET, "/sessions", &[("origin", PAGE)], "").await;
    assert_eq!((reply.status.as_u16(), reply.header("access-control-allow-origin")), (401, Some(PAGE)));
}

#[tokio::test]
async fn loopback_is_one_origin_and_the_log_names_what_would_allow_another() {
    let server = Server::builder().option("--cors-origin", "http://127.0.0.1:5173").start().await;
    let preflight = async |origin| {
        let headers = [("origin", origin), ("access-control-request-method", "POST")];
        let reply = server.client().ask(Method::OPTIONS, "/sessions", &headers, "").await;
        reply.header("access-control-allow-origin").map(str::to_owned)
    };
    for origin in ["http://127.0.0.1:5173", "http://localhost:5173", "http://[::1]:5173"] {
        assert_eq!(preflight(origin).await.as_deref(), Some(origin));
    }
    assert_eq!(preflight("http://localhost:3000").await, None);
    assert!(server.log().contains("--cors-origin http://localhost:3000 allows it"), "{}", server.log());
    assert!(!server.log().contains(":5173 allows it"), "{}", server.log());
}

#[tokio::test]
async fn without_tokens_only_pages_of_named_origins_may_make_sessions() {
    let server = Server::builder().no_token().flag("--no-auth").option("--cors-origin", PAGE).start().await;
    for (origin, expected) in [(PAGE, 200), ("https://elsewhere.example", 403)] {
        let headers = [("origin", origin), ("sec-fetch-site", "cross-site")];
        let reply = server.client().ask(Method::POST, "/sessions", &headers, "").await;
        assert_eq!(reply.status, expected, "{origin}: {reply:?}");
    }
}

#[tokio::test]
async fn a_body_that_trickles_is_given_up_and_the_server_serves_on() {
    let server = Server::builder().option("--body-timeout", "300ms").start().await;
    let mut slow = TcpStream::connect(server.authority()).await.unwrap();
    let head = format!(
        "POST /sessions HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {TOKEN}\r\ncontent-length: 100\r\n\r\n{{",
        server.authority()
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.ends_with(r#"{"detail":"the body took too long to come"}"#), "{answer}");
    assert_eq!(server.client().get("/sessions").await.status, 200);
}

// The client's connections must run while the test blocks on the server's end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_tells_what_happens_and_no_secret_at_its_most_talkative() {
    let server = Server::builder().env("RUST_LOG", "trace").start().await;
    for client in [server.client(), server.http2()] {
        let id = client.created(&json!({})).await;
        let ticket = client.post(&format!("/sessions/{id}/tickets"), "").await.json();
        let ticket = ticket["ticket"].as_str().unwrap();
        let url = format!("/sessions/{id}/stream?ticket={ticket}");
        let stream = client.with_token(None).send(Method::GET, &url, &[], "").await;
        let mut events = crate::support::Events::new(stream.into_body());
        let words = Script::text("wordsofthemodel");
        let said = json!({"type": "user_message", "content": words.to_string()});
        assert_eq!(client.input(&id, &said).await.status, 204);
        events.until("result").await;
        assert_eq!(client.with_token(Some("wrongsecret")).get("/sessions").await.status, 401);
        let log = server.log();
        assert!(log.contains(&format!("session_id=\"{id}\"")) && log.contains("from_seq=1"), "{log}");
        for secret in [ticket, TOKEN, "wrongsecret", "wordsofthemodel"] {
            let told = log.lines().find(|line| line.contains(secret));
            assert_eq!(told, None, "{secret}");
        }
    }
}
