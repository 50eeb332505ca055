//! Streams of an event log: statuses, headers, and whether the layer or the inner service answers.

#![cfg(feature = "resume")]

use std::{
    convert::Infallible,
    ops::RangeInclusive,
    task::{Context, Poll},
};

use agent_webkit_layers::{
    reply::Problems,
    resume::{
        AppendError, Attachment, Batch, Bounds, Cursor, Event, EventStream, Readers, ResumeLayer, RingConfig,
        RingStream, RingTail, TailError, encode_frame,
    },
};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, request::Parts};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceExt};

type Call = Request<()>;

/// An inner service that answers with the request and fails if it was not polled ready.
#[derive(Debug, Default)]
struct Inner {
    ready: bool,
}

impl Clone for Inner {
    fn clone(&self) -> Self {
        Self { ready: false }
    }
}

impl Service<Call> for Inner {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Call) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called without having been ready");
        let id = request.headers().get("last-event-id").map_or("none", |id| id.to_str().unwrap());
        let told = format!("{} {} {id}", request.method(), request.uri());
        std::future::ready(Ok(Response::builder().status(299).body(told.into()).unwrap()))
    }
}

/// Events 3 to 5 of five, each `data: <seq>`, at `/stream`.
async fn stream() -> RingStream {
    let stream = RingStream::new(RingConfig::default().window_events(3));
    let events = (1..=5).map(|seq| Event::new("n", seq.to_string())).collect();
    stream.append(Batch { note: Some(Bytes::from_static(b"noted")), ..Batch::new(events) }).await.unwrap();
    stream
}

async fn call(
    stream: &RingStream,
    request: Call,
) -> Response<impl Body<Data = Bytes, Error = Infallible> + use<>> {
    let stream = stream.clone();
    let layer = ResumeLayer::attach(move |request| {
        (request.uri.path() == "/stream").then(|| {
            Attachment::new(stream.clone()).state(|attached| {
                let data = format!("{} {:?}", attached.bounds.last, attached.note.as_ref().unwrap());
                Some(encode_frame(None, "state", data.as_bytes()))
            })
        })
    });
    layer.layer(Inner::default()).oneshot(request).await.unwrap()
}

fn get(uri: &str, last_event_id: Option<&str>) -> Call {
    let mut request = Request::get(uri);
    if let Some(id) = last_event_id {
        request = request.header("last-event-id", id);
    }
    request.body(()).unwrap()
}

async fn text<B: Body<Data = Bytes, Error: std::fmt::Debug>>(response: Response<B>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

fn headers<B>(response: &Response<B>) -> Vec<(&str, &str)> {
    response.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect()
}

const STREAM_HEADERS: [(&str, &str); 3] =
    [("content-type", "text/event-stream"), ("cache-control", "no-cache"), ("x-accel-buffering", "no")];

#[tokio::test]
async fn a_stream_is_answered_from_the_log() {
    let stream = stream().await;
    let response = call(&stream, get("/stream", None)).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(headers(&response), STREAM_HEADERS);
    stream.close();
    assert_eq!(
        text(response).await,
        "id: 3\nevent: n\ndata: 3\n\nid: 4\nevent: n\ndata: 4\n\nid: 5\nevent: n\ndata: 5\n\n\
         event: state\ndata: 5 b\"noted\"\n\n"
    );
}

#[tokio::test]
async fn a_cursor_is_taken_from_the_header_or_the_query() {
    let stream = stream().await;
    stream.close();
    for (uri, id, first) in [
        ("/stream", Some("2"), "id: 3\n"),
        ("/stream", Some("4"), "id: 5\n"),
        ("/stream?last_event_id=3", None, "id: 4\n"),
        ("/stream?last_event_id=3", Some("4"), "id: 5\n"),
        ("/stream?last_event_id=", Some(""), "id: 3\n"),
        ("/stream", Some("5"), "event: state\n"),
    ] {
        let sent = text(call(&stream, get(uri, id)).await).await;
        assert!(sent.starts_with(first), "{uri} {id:?}: {sent}");
    }
}

#[tokio::test]
async fn a_malformed_cursor_is_a_400() {
    let response = call(&stream().await, get("/stream", Some("12x"))).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(headers(&response), [("content-type", "application/json"), ("content-length", "72")]);
    assert_eq!(response.body().size_hint().exact(), Some(72));
    assert_eq!(
        text(response).await,
        "{\"detail\":\"the last event id must be a sequence number in ASCII digits\"}"
    );
}

#[tokio::test]
async fn what_cannot_be_resumed_is_a_412_at_the_edge_and_not_one_early() {
    let stream = stream().await;
    stream.close();
    for (id, detail) in [
        ("1", "the events after 1 are no longer all held: the oldest held is 3"),
        ("0", "the events after 0 are no longer all held: the oldest held is 3"),
        ("6", "event 6 was never sent: the newest event is 5"),
        ("99999999999999999999999", "event 18446744073709551615 was never sent: the newest event is 5"),
    ] {
        let response = call(&stream, get("/stream", Some(id))).await;
        assert_eq!(response.status(), StatusCode::PRECONDITION_FAILED);
        assert_eq!(
            text(response).await,
            format!("{{\"detail\":\"the stream cannot be resumed: {detail}\"}}")
        );
    }
    for id in ["2", "5"] {
        assert_eq!(call(&stream, get("/stream", Some(id))).await.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn head_is_told_what_get_would_be_and_attaches_nobody() {
    let stream = stream().await;
    for (id, status) in [("3", 200), ("1", 412), ("x", 400)] {
        let mut request = get("/stream", Some(id));
        *request.method_mut() = Method::HEAD;
        let response = call(&stream, request).await;
        assert_eq!(response.status(), status);
        if status == 200 {
            assert_eq!(headers(&response), STREAM_HEADERS);
            assert!(response.body().is_end_stream());
        }
        assert_eq!(stream.readers().attached, 0);
    }
    assert_eq!(stream.readers().last_detached, None);
}

#[tokio::test]
async fn everything_else_passes_untouched() {
    let stream = stream().await;
    for (method, uri) in [("POST", "/stream"), ("DELETE", "/stream"), ("GET", "/other"), ("HEAD", "/other")] {
        let mut request = get(uri, Some("x"));
        *request.method_mut() = method.parse().unwrap();
        let response = call(&stream, request).await;
        assert_eq!(response.status(), 299);
        assert_eq!(text(response).await, format!("{method} {uri} x"));
    }
}

/// A stream of which no reader can be attached.
#[derive(Clone, Debug)]
struct Broken(fn() -> TailError);

impl EventStream for Broken {
    type Tail = RingTail;

    async fn append(&self, _: Batch) -> Result<RangeInclusive<u64>, AppendError> {
        Err(AppendError::Unavailable("password=hunter2".into()))
    }

    async fn tail(&self, _: Cursor) -> Result<RingTail, TailError> {
        Err(self.0())
    }

    fn close(&self) {}

    fn release(&self) {}

    fn bounds(&self) -> Bounds {
        Bounds::EMPTY
    }

    fn readers(&self) -> Readers {
        Readers { attached: 0, last_detached: None }
    }
}

#[tokio::test]
async fn a_log_that_cannot_be_read_is_a_503_that_tells_no_secrets() {
    let broken = Broken(|| TailError::Unavailable("password=hunter2".into()));
    let layer = ResumeLayer::attach(move |_: &Parts| Some(Attachment::new(broken.clone())));
    let response = layer.layer(Inner::default()).oneshot(get("/", None)).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        headers(&response),
        [("content-type", "application/json"), ("content-length", "58"), ("retry-after", "1")]
    );
    assert_eq!(text(response).await, "{\"detail\":\"the event log is not available now; try again\"}");
}

#[tokio::test]
async fn a_stream_that_went_elsewhere_is_a_503_whatever_the_reader_has_seen() {
    let layer = ResumeLayer::attach(|_: &Parts| Some(Attachment::new(Broken(|| TailError::Fenced))));
    for method in ["GET", "HEAD"] {
        let request = Request::builder().method(method).uri("/").header("last-event-id", "7");
        let request = request.body(()).unwrap();
        let response = layer.layer(Inner::default()).oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{method}");
        assert_eq!(response.headers()["retry-after"], "1");
    }
}

#[tokio::test]
async fn two_hundred_readers_read_the_same() {
    let stream = stream().await;
    let mut readers = Vec::new();
    for _ in 0..200 {
        let response = call(&stream, get("/stream", None)).await;
        readers.push(tokio::spawn(text(response)));
    }
    for seq in 6..=100 {
        stream.append(Event::new("n", seq.to_string()).into()).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(stream.readers().attached, 200);
    stream.close();
    let first = readers.pop().unwrap().await.unwrap();
    assert!(first.ends_with("id: 100\nevent: n\ndata: 100\n\n"));
    for reader in readers {
        assert_eq!(reader.await.unwrap(), first);
    }
    assert_eq!(stream.readers().attached, 0);
}

#[tokio::test]
async fn refusals_are_rendered_by_the_hook() {
    let stream = stream().await;
    let layer = ResumeLayer::attach(move |_| Some(Attachment::new(stream.clone()))).render(Problems);
    for (id, status) in [("x", 400), ("9", 412)] {
        let request = Request::get("/stream").header("last-event-id", id).body(()).unwrap();
        let response = layer.layer(Inner::default()).oneshot(request).await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(body.starts_with(br#"{"type":"about:blank""#), "{body:?}");
    }
}
