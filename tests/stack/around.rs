//! The layers around the protocol: request ids, CORS, panics, time limits.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use agent_webkit::{
    Stack,
    layers::auth::{Denied, Principal, verify_fn},
    service::{Limits, Policy},
    stack::cors_for,
};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, request::Parts};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use tower::ServiceExt;

use super::{
    fake::FakeAgents,
    rig::{Reply, Rig, request},
};

const PAGE: &str = "https://app.example.com";

/// A body that stalls after its first part.
struct Stalled(Option<&'static str>);

impl Body for Stalled {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.0.take() {
            Some(part) => Poll::Ready(Some(Ok(Frame::data(part.into())))),
            None => Poll::Pending,
        }
    }
}

fn with_cors() -> Rig {
    let (agents, far) = FakeAgents::new();
    Rig::build(agents, far, |builder| builder.cors(cors_for([HeaderValue::from_static(PAGE)])))
}

fn preflight(path: &str, origin: &str) -> Request<Full<Bytes>> {
    Request::options(path)
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type")
        .body(Full::default())
        .unwrap()
}

#[tokio::test]
async fn a_request_without_an_id_gets_one_and_another_ones_is_kept() {
    let rig = Rig::new();
    let reply = rig.get("/sessions").await;
    assert_eq!(reply.header("x-request-id").map(str::len), Some(36));
    let given = request("nobody", Method::GET, "/sessions", &[("x-request-id", "proxy-7")], "");
    let reply = Reply::of(rig.answer(given).await).await;
    assert_eq!((reply.status, reply.header("x-request-id")), (StatusCode::UNAUTHORIZED, Some("proxy-7")));

    let (agents, far) = FakeAgents::new();
    let without = Rig::build(agents, far, |builder| builder.request_id(false));
    assert_eq!(without.get("/sessions").await.header("x-request-id"), None);
}

#[tokio::test]
async fn a_preflight_is_answered_before_anybody_asks_for_a_token() {
    let rig = with_cors();
    for path in ["/sessions", "/sessions/none/input", "/sessions/none/stream"] {
        let reply = Reply::of(rig.answer(preflight(path, PAGE)).await).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}");
        assert_eq!(reply.header("access-control-allow-origin"), Some(PAGE));
        assert_eq!(reply.header("access-control-allow-methods"), Some("GET,POST,DELETE"));
        let headers = reply.header("access-control-allow-headers").unwrap();
        for needed in ["last-event-id", "idempotency-key", "authorization", "content-type"] {
            assert!(headers.contains(needed), "{needed} in {headers}");
        }
        assert_eq!(reply.header("access-control-allow-credentials"), None);
    }
}

#[tokio::test]
async fn a_page_reads_every_answer_and_those_of_other_origins_none() {
    let mut rig = with_cors();
    let (id, _agent) = rig.session().await;
    for (token, path) in
        [("ada", format!("/sessions/{id}/stream")), ("ada", "/no".into()), ("no", "/".into())]
    {
        let response = rig.answer(request(token, Method::GET, &path, &[("origin", PAGE)], "")).await;
        assert_eq!(response.headers()["access-control-allow-origin"], PAGE, "{path} as {token}");
        let exposed = response.headers()["access-control-expose-headers"].to_str().unwrap();
        assert!(exposed.contains("x-request-id") && exposed.contains("retry-after"), "{exposed}");

        let origin = [("origin", "https://elsewhere.example")];
        let response = rig.answer(request(token, Method::GET, &path, &origin, "")).await;
        assert!(!response.headers().contains_key("access-control-allow-origin"), "{path} as {token}");
    }
    let reply = rig.answer(preflight("/sessions", "https://elsewhere.example")).await;
    assert!(!reply.headers().contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn by_default_no_page_may_read_anything() {
    let rig = Rig::new();
    let reply = rig.answer(preflight("/sessions", PAGE)).await;
    assert_eq!(reply.status(), StatusCode::UNAUTHORIZED);
    let reply = rig.answer(request("ada", Method::GET, "/sessions", &[("origin", PAGE)], "")).await;
    assert!(!reply.headers().keys().any(|name| name.as_str().starts_with("access-control")));
    let reply = rig.ask(Method::OPTIONS, "/sessions", "").await;
    assert_eq!(
        (reply.status, reply.header("allow")),
        (StatusCode::NO_CONTENT, Some("GET, HEAD, OPTIONS, POST"))
    );
}

#[tokio::test]
async fn a_panic_is_a_500_and_the_next_request_is_served() {
    let workspace = tempfile::tempdir().unwrap();
    let panics = verify_fn(|parts: &Parts| {
        let panics = parts.uri.query() == Some("panic");
        async move {
            assert!(!panics, "a bug");
            Ok::<_, Denied>(Principal::new("ada"))
        }
    });
    let (agents, _far) = FakeAgents::new();
    let stack = Stack::builder(agents, Policy::new([workspace.path()]).unwrap())
        .auth(panics)
        .cors(cors_for([HeaderValue::from_static(PAGE)]))
        .build();
    let ask = async |path: &str| {
        let asked = request("", Method::GET, path, &[("origin", PAGE)], "");
        Reply::of(stack.clone().oneshot(asked).await.unwrap()).await
    };
    let reply = ask("/sessions?panic").await;
    assert_eq!(
        (reply.status, reply.detail()),
        (StatusCode::INTERNAL_SERVER_ERROR, "the server made a mistake".into())
    );
    assert!(reply.header("x-request-id").is_some());
    assert_eq!(reply.header("access-control-allow-origin"), Some(PAGE), "the page learns of it");
    assert_eq!(ask("/sessions").await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_a_408() {
    let mut rig = Rig::with(Limits::default().body_timeout(Duration::from_secs(7)));
    let (id, _agent) = rig.session().await;
    for path in ["/sessions".to_owned(), format!("/sessions/{id}/input")] {
        let (parts, _) = request("ada", Method::POST, &path, &[], "").into_parts();
        let begun = tokio::time::Instant::now();
        let stalled = Request::from_parts(parts, Stalled(Some(r#"{"type":"#)));
        let reply = Reply::of(rig.stack.clone().oneshot(stalled).await.unwrap()).await;
        assert_eq!(
            (reply.status, reply.detail()),
            (StatusCode::REQUEST_TIMEOUT, "the body took too long to come".into())
        );
        assert_eq!(begun.elapsed().as_secs(), 7);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_come_is_a_503_and_streams_have_all_the_time() {
    let limits =
        Limits::default().answer_timeout(Duration::from_secs(100)).request_timeout(Duration::from_secs(9));
    let mut rig = Rig::with(limits);
    let (id, _agent) = rig.session().await;
    let stream = rig.answer(request("ada", Method::GET, &format!("/sessions/{id}/stream"), &[], "")).await;
    let reply = rig.input(&id, r#"{"type":"set_model","model":"m"}"#).await;
    assert_eq!((reply.status, reply.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, Some("1")));

    tokio::time::sleep(Duration::from_secs(60)).await;
    let mut stream = stream.into_body();
    for _ in 0..5 {
        assert!(stream.frame().await.unwrap().is_ok());
    }
}
