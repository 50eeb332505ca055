//! Recording makes streams of upstreams that cannot resume resumable.

#![cfg(feature = "resume")]

mod framing;
mod methods;
mod refusals;
mod rig;

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use agent_webkit_layers::resume::{Event, EventLog, EventStream, RecordLayer, RingLog};
use bytes::Bytes;
use http::{Request, Response, StatusCode, request::Parts};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use tokio::sync::mpsc::unbounded_channel;
use tower::{Layer, Service, ServiceExt, service_fn};

use rig::{Fed, rig, rig_with};

#[tokio::test]
async fn an_upstream_becomes_resumable() {
    let mut rig = rig();
    let (mut first, feed) = rig.recording().await;
    assert_eq!(first.status, StatusCode::OK);
    assert_eq!(first.headers["content-type"], "text/event-stream");
    assert_eq!(first.headers["cache-control"], "no-cache");
    assert!(!first.headers.contains_key("x-up"));

    feed.send(Ok(": hi\nid: x7\nevent: a\nda")).unwrap();
    feed.send(Ok("ta: 1\r\ndata: 2\r")).unwrap();
    feed.send(Ok("\n\r\ndata: 3\n\n")).unwrap();
    let (one, two) = ("id: 1\nevent: a\ndata: 1\ndata: 2\n\n", "id: 2\ndata: 3\n\n");
    assert_eq!(first.text_up_to("data: 3\n\n").await, [one, two].concat());
    drop(first);

    feed.send(Ok("data: 4\n\n")).unwrap();
    let second = rig.get("/s/a", Some("1")).await;
    drop(feed);
    let three = "id: 3\ndata: 4\n\n";
    assert_eq!(second.text().await, [two, three].concat());
    assert_eq!(rig.get("/s/a", None).await.text().await, [one, two, three].concat());
    assert_eq!(rig.get("/s/a", Some("4")).await.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(rig.calls_waiting(), 0);
}

#[tokio::test]
async fn the_upstream_is_asked_for_a_plain_stream_from_its_start() {
    let mut rig = rig();
    let _first = rig.send("GET", "/s/a", Some("0")).await;
    let call = rig.calls.recv().await.unwrap();
    assert!(!call.headers.contains_key("accept-encoding"));
    assert!(!call.headers.contains_key("last-event-id"));
}

#[tokio::test]
async fn two_hundred_first_readers_cost_one_call() {
    let mut rig = rig();
    let mut readers = Vec::new();
    for _ in 0..200 {
        readers.push(rig.send("GET", "/s/a", None).await);
    }
    let feed = rig.calls.recv().await.unwrap().stream();
    feed.send(Ok("data: 1\n\ndata: 2\n\n")).unwrap();
    drop(feed);
    for reader in readers {
        assert_eq!(reader.await.unwrap().unwrap().text().await, "id: 1\ndata: 1\n\nid: 2\ndata: 2\n\n");
    }
    assert_eq!(rig.calls_waiting(), 0);
}

#[tokio::test]
async fn keys_are_streams_of_their_own() {
    let mut rig = rig();
    let (mut a, feed_a) = rig.recording().await;
    let b = rig.send("GET", "/s/b", None).await;
    let feed_b = rig.calls.recv().await.unwrap().stream();
    feed_a.send(Ok("data: a\n\n")).unwrap();
    feed_b.send(Ok("data: b\n\n")).unwrap();
    assert_eq!(a.next().await.unwrap(), "id: 1\ndata: a\n\n");
    assert_eq!(b.await.unwrap().unwrap().next().await.unwrap(), "id: 1\ndata: b\n\n");
    assert_eq!(rig.recordings.len(), 2);
}

#[tokio::test]
async fn another_answer_goes_to_its_caller_only_and_the_next_one_calls() {
    let mut rig = rig();
    let first = rig.send("GET", "/s/a", None).await;
    let second = rig.send("GET", "/s/a", None).await;
    let third = rig.send("GET", "/s/a", None).await;
    let feed = rig.calls.recv().await.unwrap().answer("application/json");
    feed.send(Ok("{}")).unwrap();
    drop(feed);
    let first = first.await.unwrap().unwrap();
    assert_eq!(first.headers["x-up"], "1");
    assert_eq!(first.text().await, "{}");

    let feed = rig.calls.recv().await.unwrap().stream();
    assert_eq!(rig.calls_waiting(), 0);
    feed.send(Ok("data: 1\n\n")).unwrap();
    drop(feed);
    for reader in [second, third] {
        assert_eq!(reader.await.unwrap().unwrap().text().await, "id: 1\ndata: 1\n\n");
    }
    assert_eq!(rig.calls_waiting(), 0);
}

#[tokio::test]
async fn a_failed_call_is_its_callers_error_and_the_next_one_calls() {
    let mut rig = rig();
    let first = rig.send("GET", "/s/a", None).await;
    let second = rig.send("GET", "/s/a", None).await;
    drop(rig.calls.recv().await.unwrap());
    assert_eq!(first.await.unwrap().err().unwrap().to_string(), "the upstream is down");
    drop(rig.calls.recv().await.unwrap().stream());
    assert_eq!(second.await.unwrap().unwrap().text().await, "");
}

#[tokio::test]
async fn a_caller_that_leaves_cancels_its_call_and_the_next_one_calls() {
    let mut rig = rig();
    let first = rig.send("GET", "/s/a", None).await;
    let second = rig.send("GET", "/s/a", None).await;
    let call = rig.calls.recv().await.unwrap();
    first.abort();
    assert!(first.await.is_err());
    assert!(call.answer.is_closed());
    drop(rig.calls.recv().await.unwrap().stream());
    assert_eq!(second.await.unwrap().unwrap().status, StatusCode::OK);
}

#[tokio::test]
async fn an_upstream_that_breaks_off_is_told_by_the_last_event() {
    let mut rig = rig();
    let (first, feed) = rig.recording().await;
    feed.send(Ok("data: 1\n\ndata: lost")).unwrap();
    feed.send(Err(io::Error::other("reset by \"peer\""))).unwrap();
    assert_eq!(
        first.text().await,
        "id: 1\ndata: 1\n\nid: 2\nevent: error\ndata: {\"code\":\"upstream_failed\",\"message\":\
         \"The upstream's stream broke off: reset by \\\"peer\\\".\"}\n\n"
    );
    assert!(feed.is_closed());
}

#[tokio::test]
async fn an_event_that_is_too_large_ends_the_recording() {
    let mut rig = rig_with(|layer| layer.max_event_bytes(20));
    let (first, feed) = rig.recording().await;
    feed.send(Ok("data: 1\n\ndata: 0123456789")).unwrap();
    feed.send(Ok("0123456789")).unwrap();
    assert_eq!(
        first.text().await,
        "id: 1\ndata: 1\n\nid: 2\nevent: error\ndata: {\"code\":\"event_too_large\",\"message\":\
         \"The recording was stopped: an event is larger than 20 bytes.\"}\n\n"
    );
    assert!(feed.is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_finished_recording_can_be_read_for_its_time_and_then_a_new_one_starts() {
    let mut rig = rig_with(|layer| layer.retain(Duration::from_secs(60)));
    let (first, feed) = rig.recording().await;
    feed.send(Ok("data: 1\n\ndata: 2\n\n")).unwrap();
    drop(feed);
    let whole = first.text().await;
    tokio::time::sleep(Duration::from_secs(59)).await;
    assert_eq!(rig.get("/s/a", None).await.text().await, whole);
    assert_eq!(rig.get("/s/a", Some("1")).await.text().await, "id: 2\ndata: 2\n\n");
    assert_eq!(rig.get("/s/a", Some("2")).await.text().await, "");

    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(rig.recordings.is_empty());
    assert!(rig.log.find("a").await.unwrap().is_none());
    assert_eq!(rig.get("/s/a", Some("1")).await.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(rig.calls_waiting(), 0, "no call for a reader that could not be served anyway");
    let (mut again, feed) = rig.recording().await;
    feed.send(Ok("data: new\n\n")).unwrap();
    assert_eq!(again.next().await.unwrap(), "id: 1\ndata: new\n\n");
}

#[tokio::test(start_paused = true)]
async fn a_quiet_recording_has_comments_of_its_own() {
    let mut rig = rig_with(|layer| layer.keepalive(Duration::from_secs(3)));
    let (mut first, feed) = rig.recording().await;
    for _ in 0..10 {
        feed.send(Ok(": keepalive of the upstream\n\n")).unwrap();
        assert_eq!(first.next().await.unwrap(), ": keepalive\n\n");
    }
}

#[tokio::test]
async fn a_malformed_cursor_is_a_400_without_a_call() {
    let rig = rig();
    assert_eq!(rig.get("/s/a", Some("x")).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(rig.calls_waiting(), 0);
}

#[tokio::test]
async fn other_requests_pass_and_head_starts_no_recording() {
    let mut rig = rig();
    for (method, path) in [("POST", "/other"), ("GET", "/other"), ("HEAD", "/s/a")] {
        let sent = rig.send(method, path, None).await;
        let call = rig.calls.recv().await.unwrap();
        assert!(call.headers.contains_key("accept-encoding"));
        drop(call.stream());
        assert_eq!(sent.await.unwrap().unwrap().headers["x-up"], "1");
        assert!(rig.recordings.is_empty());
    }
    let (_first, _feed) = rig.recording().await;
    let head = rig.send("HEAD", "/s/a", None).await.await.unwrap().unwrap();
    assert_eq!(head.headers["cache-control"], "no-cache");
    assert_eq!(head.text().await, "");
}

#[tokio::test]
async fn a_log_that_holds_the_whole_stream_is_read_without_a_call() {
    let rig = rig();
    let stream = rig.log.open("a").await.unwrap();
    stream.append(Event::new("old", "1").into()).await.unwrap();
    stream.close();
    assert_eq!(rig.get("/s/a", None).await.text().await, "id: 1\nevent: old\ndata: 1\n\n");
    assert_eq!(rig.calls_waiting(), 0);
}

#[tokio::test]
async fn a_stream_that_was_left_open_is_continued() {
    let mut rig = rig();
    let stream = rig.log.open("a").await.unwrap();
    stream.append(Event::new("old", "1").into()).await.unwrap();
    let reader = rig.send("GET", "/s/a", Some("1")).await;
    let feed = rig.calls.recv().await.unwrap().stream();
    feed.send(Ok("data: 2\n\n")).unwrap();
    assert_eq!(reader.await.unwrap().unwrap().next().await.unwrap(), "id: 2\ndata: 2\n\n");
}

#[tokio::test]
async fn a_forgotten_recording_stops_and_the_next_request_calls() {
    let mut rig = rig();
    let (first, feed) = rig.recording().await;
    rig.recordings.forget("a").await.unwrap();
    assert_eq!(first.text().await, "");
    feed.closed().await;
    let (mut second, feed) = rig.recording().await;
    feed.send(Ok("data: 1\n\n")).unwrap();
    assert_eq!(second.next().await.unwrap(), "id: 1\ndata: 1\n\n");
    assert_eq!(rig.recordings.len(), 1, "the end of the old recording leaves the new one alone");
}

#[tokio::test]
async fn after_a_shutdown_nothing_is_left() {
    let mut rig = rig();
    let (first, feed) = rig.recording().await;
    feed.send(Ok("data: 1\n\n")).unwrap();
    let starting = rig.send("GET", "/s/b", None).await;
    let late = rig.calls.recv().await.unwrap();
    rig.recordings.shutdown().await;
    assert!(feed.is_closed());
    assert!(first.text().await.ends_with(
        "event: error\ndata: {\"code\":\"recording_stopped\",\"message\":\
         \"The recording was stopped before the upstream's stream ended.\"}\n\n"
    ));
    let late = late.stream();
    assert_eq!(starting.await.unwrap().unwrap().status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(late.is_closed());
    assert_eq!(rig.get("/s/a", None).await.headers["retry-after"], "1");
    assert_eq!(rig.calls_waiting(), 0);
}

/// A body that panics.
struct Panics;

impl Body for Panics {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        panic!("a broken upstream")
    }
}

#[tokio::test]
async fn a_recording_that_panics_ends_its_stream_and_frees_its_key() {
    let calls = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&calls);
    let upstream = service_fn(move |_: Request<()>| {
        *counted.lock().unwrap() += 1;
        let response = Response::builder().header("content-type", "text/event-stream");
        std::future::ready(Ok::<_, io::Error>(response.body(Panics).unwrap()))
    });
    let layer = RecordLayer::new(RingLog::default(), |_: &Parts| Some("key".to_owned()));
    for _ in 0..2 {
        let response = layer.layer(upstream.clone()).oneshot(Request::new(())).await.unwrap();
        response.into_body().collect().await.unwrap();
    }
    assert!(layer.recordings().is_empty());
}

/// An inner service that fails if it was not polled ready.
#[derive(Debug)]
struct Ready(bool);

impl Clone for Ready {
    fn clone(&self) -> Self {
        Self(false)
    }
}

impl Service<Request<()>> for Ready {
    type Response = Response<Fed>;
    type Error = io::Error;
    type Future = std::future::Ready<io::Result<Response<Fed>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0 = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        assert!(std::mem::take(&mut self.0), "called without having been ready");
        std::future::ready(Ok(Response::new(Fed(unbounded_channel().1))))
    }
}

#[tokio::test]
async fn the_service_that_was_ready_is_the_one_called() {
    let layer = RecordLayer::new(RingLog::default(), |request: &Parts| Some(request.uri.to_string()));
    let mut service = layer.layer(Ready(false));
    for _ in 0..2 {
        service.ready().await.unwrap().call(Request::new(())).await.unwrap();
    }
}
