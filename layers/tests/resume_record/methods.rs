//! Streams of any method: their ids, their limits, and how they are stopped.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use agent_webkit_layers::resume::{Event, EventLog, EventStream, RingLog, StreamIds};
use http::{HeaderName, Request, StatusCode};

use crate::rig::{Got, Rig, rig, rig_of, rig_with};

/// Ids that the test can predict.
fn ids() -> StreamIds {
    let made = AtomicUsize::new(0);
    StreamIds::new(move || format!("id-{}", made.fetch_add(1, Ordering::Relaxed)))
}

fn with_id(method: &str, uri: &str, id: &str, last: &str) -> Request<()> {
    Request::builder()
        .method(method)
        .uri(uri)
        .header("stream-id", id)
        .header("last-event-id", last)
        .body(())
        .unwrap()
}

async fn answer(rig: &Rig<StreamIds>, request: Request<()>) -> Got {
    rig.start(request).await.await.unwrap().unwrap()
}

const STOPPED: &str = "event: error\ndata: {\"code\":\"recording_stopped\",\"message\":\
    \"The recording was stopped before the upstream's stream ended.\"}\n\n";

#[tokio::test]
async fn a_post_with_a_key_is_called_once_and_resumed_by_itself_or_by_a_get() {
    let mut rig = rig();
    let first = rig.send("POST", "/s/a", None).await;
    let feed = rig.calls.recv().await.unwrap().stream();
    let mut first = first.await.unwrap().unwrap();
    feed.send(Ok("data: 1\n\n")).unwrap();
    assert_eq!(first.next().await.unwrap(), "id: 1\ndata: 1\n\n");
    drop(first);
    feed.send(Ok("data: 2\n\n")).unwrap();
    drop(feed);
    for method in ["POST", "GET"] {
        let again = rig.send(method, "/s/a", Some("1")).await.await.unwrap().unwrap();
        assert!(!again.headers.contains_key("stream-id"));
        assert_eq!(again.text().await, "id: 2\ndata: 2\n\n");
    }
    assert_eq!(rig.calls_waiting(), 0);
}

#[tokio::test]
async fn the_layer_makes_ids_for_streams_and_leaves_other_answers_alone() {
    let mut rig = rig_of(ids(), |layer| layer);
    let first = rig.send("POST", "/chat", None).await;
    let feed = rig.calls.recv().await.unwrap().stream();
    let first = first.await.unwrap().unwrap();
    assert_eq!(first.headers["stream-id"], "id-0");
    let other = rig.send("POST", "/chat", None).await;
    drop(rig.calls.recv().await.unwrap().answer("application/json"));
    assert!(!other.await.unwrap().unwrap().headers.contains_key("stream-id"));

    feed.send(Ok("data: 1\n\ndata: 2\n\n")).unwrap();
    drop(feed);
    let whole = first.text().await;
    let again = answer(&rig, with_id("POST", "/chat", "id-0", "1")).await;
    assert_eq!(again.headers["stream-id"], "id-0");
    assert_eq!(again.text().await, "id: 2\ndata: 2\n\n");
    let by_query = Request::get("/else?x&stream_id=id-0").body(()).unwrap();
    assert_eq!(answer(&rig, by_query).await.text().await, whole);
    let head = answer(&rig, with_id("HEAD", "/chat", "id-0", "")).await;
    assert_eq!(
        (head.status, head.headers["content-type"].to_str().unwrap()),
        (StatusCode::OK, "text/event-stream")
    );

    for method in ["POST", "GET", "HEAD"] {
        assert_eq!(answer(&rig, with_id(method, "/chat", "guessed", "")).await.status, StatusCode::NOT_FOUND);
    }
    assert_eq!(
        answer(&rig, with_id("POST", "/chat", "id-0", "9")).await.status,
        StatusCode::PRECONDITION_FAILED
    );
    let nameless = rig.send("POST", "/chat", Some("1")).await.await.unwrap().unwrap();
    assert_eq!(nameless.status, StatusCode::PRECONDITION_FAILED, "it names an event and no stream");
    assert_eq!(rig.calls_waiting(), 0);
}

#[tokio::test]
async fn the_places_of_ids_can_be_chosen() {
    let ids = ids().in_header(HeaderName::from_static("x-run")).in_query("run");
    let mut rig = rig_of(ids, |layer| layer);
    let first = rig.send("POST", "/chat", None).await;
    drop(rig.calls.recv().await.unwrap().stream());
    assert_eq!(first.await.unwrap().unwrap().headers["x-run"], "id-0");
    assert_eq!(answer(&rig, Request::get("/?run=id-0").body(()).unwrap()).await.status, StatusCode::OK);
    let by_header = Request::post("/").header("x-run", "id-1").body(()).unwrap();
    assert_eq!(answer(&rig, by_header).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn delete_stops_the_upstream_and_what_it_sent_stays_readable() {
    let mut rig = rig_of(ids(), |layer| layer.retain(Duration::from_secs(60)));
    let first = rig.send("POST", "/chat", None).await;
    let feed = rig.calls.recv().await.unwrap().stream();
    let mut first = first.await.unwrap().unwrap();
    feed.send(Ok("data: 1\n\n")).unwrap();
    assert_eq!(first.next().await.unwrap(), "id: 1\ndata: 1\n\n");
    assert_eq!(answer(&rig, with_id("DELETE", "/chat", "guessed", "")).await.status, StatusCode::NOT_FOUND);
    let stopped = answer(&rig, with_id("DELETE", "/chat", "id-0", "")).await;
    assert_eq!((stopped.status, &*stopped.text().await), (StatusCode::NO_CONTENT, ""));
    feed.closed().await;
    assert_eq!(first.text().await, format!("id: 2\n{STOPPED}"));
    tokio::time::sleep(Duration::from_secs(59)).await;
    let again = answer(&rig, with_id("GET", "/chat", "id-0", "1")).await;
    assert_eq!(again.text().await, format!("id: 2\n{STOPPED}"));
    assert_eq!(answer(&rig, with_id("DELETE", "/chat", "id-0", "")).await.status, StatusCode::NO_CONTENT);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(answer(&rig, with_id("GET", "/chat", "id-0", "1")).await.status, StatusCode::NOT_FOUND);

    let passed = rig.send("DELETE", "/chat", None).await;
    drop(rig.calls.recv().await.unwrap().answer("application/json"));
    assert_eq!(passed.await.unwrap().unwrap().status, StatusCode::OK, "it names no stream");
}

#[tokio::test]
async fn a_program_stops_a_stream_by_its_key() {
    let mut rig = rig();
    let (first, feed) = rig.recording().await;
    assert!(!rig.recordings.stop("b"));
    assert!(rig.recordings.stop("a"));
    feed.closed().await;
    assert_eq!(first.text().await, format!("id: 1\n{STOPPED}"));
    assert_eq!(rig.recordings.len(), 1);
}

#[tokio::test]
async fn the_call_of_a_post_goes_on_when_its_caller_leaves() {
    let mut rig = rig();
    let first = rig.send("POST", "/s/a", None).await;
    let call = rig.calls.recv().await.unwrap();
    first.abort();
    assert!(first.await.is_err());
    assert!(!call.answer.is_closed());
    let again = rig.send("POST", "/s/a", None).await;
    let feed = call.stream();
    feed.send(Ok("data: 1\n\n")).unwrap();
    drop(feed);
    assert_eq!(again.await.unwrap().unwrap().text().await, "id: 1\ndata: 1\n\n");
    assert_eq!(rig.calls_waiting(), 0);
}

#[tokio::test]
async fn there_are_not_more_streams_than_allowed() {
    let mut rig = rig_with(|layer| layer.max_streams(1));
    let (_first, feed) = rig.recording().await;
    let refused = rig.get("/s/b", None).await;
    assert_eq!(
        (refused.status, refused.headers["retry-after"].to_str().unwrap()),
        (StatusCode::SERVICE_UNAVAILABLE, "1")
    );
    assert_eq!(rig.get("/s/a", None).await.status, StatusCode::OK, "an existing one is read");
    drop(feed);
    rig.recordings.forget("a").await.unwrap();
    rig.recording().await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_recorded_for_its_time_and_no_longer() {
    let mut rig = rig_with(|layer| layer.max_time(Duration::from_millis(1500)));
    let (first, feed) = rig.recording().await;
    feed.send(Ok("data: 1\n\n")).unwrap();
    assert_eq!(
        first.text().await,
        "id: 1\ndata: 1\n\nid: 2\nevent: error\ndata: {\"code\":\"recording_too_long\",\"message\":\
         \"The recording was stopped: it took longer than 1.5 s.\"}\n\n"
    );
    assert!(feed.is_closed());
}

#[tokio::test]
async fn a_post_whose_process_died_is_not_called_again() {
    let rig = rig();
    left_open(&rig.log, "a").await;
    let lost = rig.send("POST", "/s/a", Some("1")).await.await.unwrap().unwrap();
    let end = lost.text().await;
    assert!(end.starts_with("id: 2\nevent: error\ndata: {\"code\":\"recording_lost\""), "{end}");
    assert_eq!(rig.get("/s/a", Some("1")).await.text().await, end);
    assert_eq!(rig.calls_waiting(), 0);

    let rig = rig_of(ids(), |layer| layer);
    left_open(&rig.log, "mine").await;
    let lost = answer(&rig, with_id("GET", "/", "mine", "1")).await;
    assert!(lost.text().await.contains("recording_lost"));
    assert_eq!(rig.calls_waiting(), 0);
}

async fn left_open(log: &RingLog, key: &str) {
    let stream = log.open(key).await.unwrap();
    stream.append(Event::new("old", "1").into()).await.unwrap();
}
