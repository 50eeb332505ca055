//! Mounted in other hosts, over real sockets, on both versions of HTTP.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::net::TcpListener;

use super::rig::{FakeStack, Rig, request};

/// Serves the stack on bare hyper; gives where.
async fn hyper(stack: FakeStack) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = TowerToHyperService::new(stack.clone());
            tokio::spawn(async move {
                let server = auto::Builder::new(TokioExecutor::new());
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    format!("http://{address}")
}

/// Serves the stack in axum, below a prefix.
async fn axum(stack: FakeStack) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = axum::Router::new().nest_service("/api/agents", stack);
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    format!("http://{address}/api/agents")
}

fn client(http2: bool) -> Client<HttpConnector, Full<Bytes>> {
    Client::builder(TokioExecutor::new()).http2_only(http2).build_http()
}

async fn send(
    client: &Client<HttpConnector, Full<Bytes>>,
    base: &str,
    request: Request<Full<Bytes>>,
) -> Response<Incoming> {
    let (mut parts, body) = request.into_parts();
    parts.uri = format!("{base}{}", parts.uri).parse().unwrap();
    client.request(Request::from_parts(parts, body)).await.unwrap()
}

async fn read_to(response: &mut Response<Incoming>, end: &str) -> String {
    let mut text = String::new();
    while !text.contains(end) {
        let frame = response.frame().await.expect("not the end yet").unwrap();
        text.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
    }
    text
}

#[tokio::test]
async fn a_session_over_http1_and_http2_in_hyper_and_axum() {
    for (http2, in_axum) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut rig = Rig::new();
        let base = if in_axum { axum(rig.stack.clone()).await } else { hyper(rig.stack.clone()).await };
        let client = client(http2);
        let ask = async |method, path: &str, body: &'static str| {
            send(&client, &base, request("ada", method, path, &[], body)).await
        };

        let created = ask(Method::POST, "/sessions", "").await;
        assert_eq!(created.version(), if http2 { Version::HTTP_2 } else { Version::HTTP_11 });
        assert_eq!(created.status(), StatusCode::OK);
        let created = created.into_body().collect().await.unwrap().to_bytes();
        let created: serde_json::Value = serde_json::from_slice(&created).unwrap();
        let session = format!("/sessions/{}", created["session_id"].as_str().unwrap());
        let mut agent = rig.agents.recv().await.unwrap();

        let mut stream = ask(Method::GET, &format!("{session}/stream"), "").await;
        assert_eq!(stream.headers()["content-type"], "text/event-stream");
        for name in ["connection", "keep-alive", "transfer-encoding"] {
            assert!(!http2 || !stream.headers().contains_key(name), "{name} on HTTP/2");
        }
        read_to(&mut stream, "session_state").await;
        let input = format!("{session}/input");
        let sent = ask(Method::POST, &input, r#"{"type":"user_message","content":"hi"}"#).await;
        assert_eq!(sent.status(), StatusCode::NO_CONTENT);
        agent.hears().await;
        read_to(&mut stream, "user_message").await;

        assert_eq!(ask(Method::HEAD, &format!("{session}/stream"), "").await.status(), StatusCode::OK);
        assert_eq!(ask(Method::PUT, &session, "").await.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(ask(Method::GET, "/sessions/none", "").await.status(), StatusCode::NOT_FOUND);

        assert_eq!(ask(Method::DELETE, &session, "").await.status(), StatusCode::NO_CONTENT);
        read_to(&mut stream, "event: done\ndata: {}\n\n").await;
        let rest = stream.into_body().collect().await.unwrap().to_bytes();
        assert!(rest.is_empty(), "the body ends after done");
    }
}

#[tokio::test]
async fn a_reader_that_hangs_up_is_noticed_and_the_run_goes_on() {
    let mut rig = Rig::new();
    let base = hyper(rig.stack.clone()).await;
    let (id, mut agent) = rig.session().await;
    let session = rig.stack.sessions().get(&id, Some("ada")).unwrap();
    let attached = || agent_webkit::layers::resume::EventStream::readers(session.stream()).attached;

    let connection = client(false);
    let path = format!("/sessions/{id}/stream");
    let mut stream = send(&connection, &base, request("ada", Method::GET, &path, &[], "")).await;
    read_to(&mut stream, "session_state").await;
    assert_eq!(attached(), 1);
    drop((stream, connection));
    while attached() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        rig.input(&id, r#"{"type":"user_message","content":"hi"}"#).await.status,
        StatusCode::NO_CONTENT
    );
    agent.hears().await;
}

#[tokio::test]
async fn any_fallback_of_axum_can_be_the_stack() {
    let rig = Rig::new();
    let app: axum::Router = axum::Router::new().fallback_service(rig.stack.clone());
    let request = request("ada", Method::GET, "/sessions", &[], "").map(axum::body::Body::new);
    let reply: Result<_, Infallible> = tower::ServiceExt::oneshot(app, request).await;
    assert_eq!(reply.unwrap().status(), StatusCode::OK);
}
