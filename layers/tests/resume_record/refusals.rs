//! How the layer answers what it refuses.

use std::sync::atomic::{AtomicUsize, Ordering};

use agent_webkit_layers::{
    reply::{Problems, Refusal},
    resume::{RecordLayer, RingLog, StreamIds},
};
use bytes::Bytes;
use http::{Request, Response, StatusCode, request::Parts};

use crate::rig::{Got, Rig, rig_of};

/// Requests that are refused, after a stream `id-0` of one event: the method, the stream, the last event id, and the status.
const REFUSED: [(&str, &str, &str, u16); 6] = [
    ("GET", "id-0", "x", 400),
    ("POST", "id-0", "7", 412),
    ("GET", "other", "", 404),
    ("DELETE", "other", "", 404),
    ("HEAD", "other", "", 404),
    ("HEAD", "id-0", "7", 412),
];

async fn recorded(
    config: impl FnOnce(RecordLayer<RingLog, StreamIds>) -> RecordLayer<RingLog, StreamIds>,
) -> Rig<StreamIds> {
    let made = AtomicUsize::new(0);
    let mut rig =
        rig_of(StreamIds::new(move || format!("id-{}", made.fetch_add(1, Ordering::Relaxed))), config);
    let first = rig.start(Request::post("/").body(()).unwrap()).await;
    let feed = rig.calls.recv().await.unwrap().stream();
    feed.send(Ok("data: a\n\n")).unwrap();
    drop(feed);
    assert_eq!(first.await.unwrap().unwrap().text().await, "id: 1\ndata: a\n\n");
    rig
}

async fn ask(rig: &Rig<StreamIds>, method: &str, stream: &str, last: &str) -> Got {
    let request = Request::builder().method(method).uri("/a").header("stream-id", stream);
    let request = request.header("last-event-id", last).body(()).unwrap();
    rig.start(request).await.await.unwrap().unwrap()
}

#[tokio::test]
async fn refusals_are_json_unless_something_else_is_asked_for() {
    let rig = recorded(|layer| layer).await;
    for (method, stream, last, status) in REFUSED {
        let got = ask(&rig, method, stream, last).await;
        assert_eq!(
            (got.status.as_u16(), got.headers["content-type"].to_str().unwrap()),
            (status, "application/json")
        );
        let length: usize = got.headers["content-length"].to_str().unwrap().parse().unwrap();
        let text = got.text().await;
        assert_eq!(text.len(), if method == "HEAD" { 0 } else { length });
        assert!(method == "HEAD" || text.starts_with("{\"detail\":\""), "{text}");
    }
}

#[tokio::test]
async fn every_refusal_is_rendered_by_the_hook() {
    let rig = recorded(|layer| layer.render(Problems)).await;
    for (method, stream, last, status) in REFUSED {
        let got = ask(&rig, method, stream, last).await;
        assert_eq!(got.status.as_u16(), status, "{method} {stream} {last}");
        assert_eq!(got.headers["content-type"], "application/problem+json");
        let text = got.text().await;
        assert!(text.is_empty() == (method == "HEAD"));
        assert!(text.is_empty() || text.contains(&format!("\"status\":{status}")), "{text}");
    }
    let rig = recorded(|layer| layer.render(Problems).max_streams(1)).await;
    for refused in ["there are too many streams", "the server is shutting down"] {
        let got = rig.start(Request::post("/").body(()).unwrap()).await.await.unwrap().unwrap();
        assert_eq!(
            (got.status, got.headers["retry-after"].as_bytes()),
            (StatusCode::SERVICE_UNAVAILABLE, &b"1"[..])
        );
        let text = got.text().await;
        assert!(text.starts_with("{\"type\":\"about:blank\"") && text.contains(refused), "{text}");
        rig.recordings.shutdown().await;
    }
}

#[tokio::test]
async fn a_hook_sees_the_request_and_not_what_the_upstream_answers() {
    let told = |refusal: Refusal, request: &Parts| {
        Response::builder()
            .status(418)
            .body(Bytes::from(format!("{} {} {}", request.method, request.uri, refusal.status())))
            .unwrap()
    };
    let mut rig = recorded(|layer| layer.render(told)).await;
    for (method, stream, last, status) in REFUSED {
        let got = ask(&rig, method, stream, last).await;
        assert_eq!(got.status, StatusCode::IM_A_TEAPOT);
        let text = got.text().await;
        assert!(method == "HEAD" || text.starts_with(&format!("{method} /a {status} ")), "{text}");
    }
    // The upstream's own refusal passes as it is.
    let passed = rig.start(Request::post("/").body(()).unwrap()).await;
    rig.calls.recv().await.unwrap().answer("text/plain").send(Ok("no")).unwrap();
    assert_eq!(passed.await.unwrap().unwrap().text().await, "no");
}
