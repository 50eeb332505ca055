//! Ids of the upstream, its comments and `retry:` fields, and streams of JSON lines.

use std::{io, time::Duration};

use agent_webkit_layers::resume::{Asked, EventLog, EventStream, Framing, Identify, Ndjson, Sse};
use http::{Method, Request, StatusCode, request::Parts};
use tokio::sync::mpsc::UnboundedSender;

use crate::rig::{Got, Key, Rig, Sent, framed, rig_of};

/// What a stream gets as it was sent, with ids that are not numbers, without one, the same twice, and an id alone.
const SENT: &str = ": hello\n\nid: a/\u{fc} 1\nevent: x\ndata: 1\ndata: more\n\nretry: 70\ndata: 2\n\n\
    id: b\ndata: 3\n\nid: c\n\nid: b\ndata: 5\n\nid:\ndata: 6\n\n: bye\n\n";

/// The frames that a client gets, in order.
const FRAMES: [&str; 6] = [
    ": hello\nid: a/\u{fc} 1\nevent: x\ndata: 1\ndata: more\n\n",
    "retry: 70\nid: ~2\ndata: 2\n\n",
    "id: b\ndata: 3\n\n",
    "id: c\n\n",
    "id: b\ndata: 5\n\n",
    "id: ~6\ndata: 6\n\n",
];

fn all_kept() -> Sse {
    Sse::new().upstream_ids().comments().upstream_retry()
}

async fn recorded<F: Framing>(framing: F, media_type: &str, sent: &'static str) -> Rig<Key, F> {
    let mut rig = framed(framing);
    let first = rig.send("POST", "/s/a", None).await;
    let feed = rig.calls.recv().await.unwrap().answer(media_type);
    for part in 0..sent.len() {
        if let Some(text) = sent.get(part..part + 1) {
            feed.send(Ok(text)).unwrap();
        } else if let Some(text) = sent.get(part..part + 2) {
            feed.send(Ok(text)).unwrap();
        }
    }
    drop(feed);
    first.await.unwrap().unwrap().text().await;
    rig
}

async fn after<F: Framing>(rig: &Rig<Key, F>, id: &str) -> (StatusCode, String) {
    let request = Request::get("/s/a").header("last-event-id", id.as_bytes()).body(()).unwrap();
    let got = rig.start(request).await.await.unwrap().unwrap();
    (got.status, got.text().await)
}

#[tokio::test]
async fn the_upstreams_ids_are_kept_and_a_client_comes_back_with_them() {
    let rig = recorded(all_kept(), "text/event-stream", SENT).await;
    assert_eq!(rig.get("/s/a", None).await.text().await, FRAMES.concat());
    for (id, next) in [("a/\u{fc} 1", 1), ("~2", 2), ("c", 4), ("b", 5), (" b ", 5), ("~6", 6), ("", 0)] {
        assert_eq!(after(&rig, id).await, (StatusCode::OK, FRAMES[next..].concat()), "{id:?}");
    }
    for unknown in ["1", "3", "~3", "~7", "x", "b2", "B"] {
        let (status, body) = after(&rig, unknown).await;
        assert_eq!(status, StatusCode::PRECONDITION_FAILED, "{unknown}");
        assert_eq!(body, r#"{"detail":"the stream cannot be resumed: it holds no event with this id"}"#);
    }
    let query = rig.get("/s/a?last_event_id=a%2F%C3%BC+1", None).await;
    assert_eq!(query.text().await, FRAMES[1..].concat());
    let head = rig.send("HEAD", "/s/a", Some("b")).await.await.unwrap().unwrap();
    assert_eq!(
        (head.status, &head.headers["content-type"]),
        (StatusCode::OK, &"text/event-stream".parse().unwrap())
    );
    let head = rig.send("HEAD", "/s/a", Some("x")).await.await.unwrap().unwrap();
    assert_eq!(head.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(rig.calls_waiting(), 0);
}

/// A client that is cut after any byte has each event once: what it has seen whole, and what comes after that.
#[tokio::test]
async fn whoever_is_cut_at_any_byte_gets_each_event_once() {
    let rig = recorded(all_kept(), "text/event-stream", SENT).await;
    let whole = FRAMES.concat();
    for cut in (0..=whole.len()).filter(|cut| whole.is_char_boundary(*cut)) {
        let complete = whole[..cut].rfind("\n\n").map_or(0, |end| end + 2);
        let last = whole[..complete].lines().filter_map(|line| line.strip_prefix("id: ")).next_back();
        // Of the two events `b` the newer one counts, which is what makes a doubled id a fault of the upstream.
        if complete == FRAMES[..3].concat().len() {
            continue;
        }
        let (_, rest) = after(&rig, last.unwrap_or_default()).await;
        assert_eq!([&whole[..complete], &rest].concat(), whole, "cut at {cut}");
    }
}

#[tokio::test]
async fn each_of_the_upstreams_fields_is_kept_only_if_it_is_wanted() {
    let sent = "retry: 70\n: hi\nid: x\ndata: 1\n\n";
    for (framing, wanted) in [
        (Sse::new(), "id: 1\ndata: 1\n\n"),
        (Sse::new().comments(), ": hi\nid: 1\ndata: 1\n\n"),
        (Sse::new().upstream_retry(), "retry: 70\nid: 1\ndata: 1\n\n"),
        (Sse::new().upstream_ids(), "id: x\ndata: 1\n\n"),
        (Sse::new().retry(Duration::from_millis(500)), "retry: 500\n\nid: 1\ndata: 1\n\n"),
        (all_kept().retry(Duration::from_secs(1)), "retry: 1000\n\n: hi\nid: x\ndata: 1\n\n"),
    ] {
        let rig = recorded(framing.clone(), "text/event-stream", sent).await;
        assert_eq!(rig.get("/s/a", None).await.text().await, wanted, "{framing:?}");
    }
    let rig = recorded(Sse::new().comments(), "text/event-stream", sent).await;
    assert_eq!(after(&rig, "1").await, (StatusCode::OK, String::new()), "the ids are numbers still");
    let rig = recorded(Sse::new().retry(Duration::from_millis(500)), "text/event-stream", sent).await;
    assert_eq!(after(&rig, "1").await.1, "retry: 500\n\n", "each response starts with it");
}

#[tokio::test]
async fn comments_between_two_events_are_kept_up_to_a_size() {
    let mut rig = framed(Sse::new().comments());
    let (mut first, feed) = recording_of(&mut rig, "text/event-stream").await;
    for _ in 0..10_000 {
        feed.send(Ok(": waiting for the model\n\n")).unwrap();
    }
    feed.send(Ok("data: 1\n\n")).unwrap();
    let text = first.text_up_to("data: 1\n\n").await;
    let comments = text.lines().filter(|line| *line == ": waiting for the model").count();
    assert!((100..200).contains(&comments), "{comments}");
}

#[tokio::test]
async fn failures_are_events_with_ids_too() {
    let mut rig = framed(Sse::new().upstream_ids());
    let (first, feed) = recording_of(&mut rig, "text/event-stream").await;
    feed.send(Ok("id: x\ndata: 1\n\n")).unwrap();
    feed.send(Err(io::Error::other("cut"))).unwrap();
    let failure = "id: ~2\nevent: error\ndata: {\"code\":\"upstream_failed\",\"message\":\
        \"The upstream's stream broke off: cut.\"}\n\n";
    assert_eq!(first.text().await, format!("id: x\ndata: 1\n\n{failure}"));
    assert_eq!(after(&rig, "x").await.1, failure);
    assert_eq!(after(&rig, "~2").await, (StatusCode::OK, String::new()));
}

async fn recording_of<F: Framing>(rig: &mut Rig<Key, F>, media_type: &str) -> (Got, UnboundedSender<Sent>) {
    let first = rig.send("POST", "/s/a", None).await;
    let feed = rig.calls.recv().await.unwrap().answer(media_type);
    (first.await.unwrap().unwrap(), feed)
}

#[tokio::test]
async fn json_lines_are_counted_by_the_client() {
    let sent = "{\"n\":1}\r\n\n{\"n\": \"\u{fc}\"}\n[3]";
    let lines = ["{\"n\":1}\n", "{\"n\": \"\u{fc}\"}\n", "[3]\n"];
    for media_type in ["application/x-ndjson", "Application/NDJSON; charset=utf-8", "application/jsonl"] {
        let rig = recorded(Ndjson, media_type, sent).await;
        let whole = rig.get("/s/a", None).await;
        assert_eq!(whole.headers["content-type"], "application/x-ndjson");
        assert_eq!(whole.text().await, lines.concat());
        for seen in 0..=3 {
            assert_eq!(after(&rig, &seen.to_string()).await, (StatusCode::OK, lines[seen..].concat()));
        }
        assert_eq!(after(&rig, "4").await.0, StatusCode::PRECONDITION_FAILED);
        assert_eq!(after(&rig, "x").await.0, StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn a_layer_records_the_streams_of_its_own_framing_alone() {
    let mut rig = framed(Ndjson);
    let (first, feed) = recording_of(&mut rig, "text/event-stream").await;
    feed.send(Ok("data: 1\n\n")).unwrap();
    drop(feed);
    assert_eq!(first.headers["x-up"], "1", "it passed through");
    assert_eq!(first.text().await, "data: 1\n\n");
    assert!(rig.recordings.is_empty());

    let mut sse = framed(Sse::new());
    let (first, _feed) = recording_of(&mut sse, "application/x-ndjson").await;
    assert_eq!(first.headers["x-up"], "1");
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_a_last_line_and_silence_stays_silent() {
    let mut rig = framed(Ndjson);
    let (mut first, feed) = recording_of(&mut rig, "application/x-ndjson").await;
    feed.send(Ok("1\n")).unwrap();
    assert_eq!(first.next().await.unwrap(), "1\n");
    let silence = tokio::time::timeout(Duration::from_secs(3600), first.next()).await;
    assert!(silence.is_err(), "an empty line is no comment");
    feed.send(Err(io::Error::other("cut"))).unwrap();
    let message = "The upstream's stream broke off: cut.";
    let line = format!("{{\"error\":{{\"code\":\"upstream_failed\",\"message\":\"{message}\"}}}}\n");
    assert_eq!(first.text().await, line);
}

#[tokio::test]
async fn a_reader_of_lines_that_is_evicted_gets_a_line_that_says_so() {
    let mut rig = framed(Ndjson);
    let (first, feed) = recording_of(&mut rig, "application/x-ndjson").await;
    let line: &'static str = format!("\"{}\"\n", "x".repeat(10_000)).leak();
    for _ in 0..1100 {
        feed.send(Ok(line)).unwrap();
    }
    let stream = rig.log.find("a").await.unwrap().unwrap();
    while stream.bounds().last < 1100 {
        tokio::task::yield_now().await;
    }
    let text = first.text().await;
    let last: serde_json::Value = serde_json::from_str(text.lines().next_back().unwrap()).unwrap();
    assert_eq!(last["error"]["code"], "evicted");
}

/// A chat has one key, and each message in it a new answer.
struct Chat;

impl Identify for Chat {
    fn identify(&self, request: &Parts) -> Asked {
        match request.method {
            Method::POST => Asked::Anew("chat".to_owned()),
            _ => Asked::Existing("chat".to_owned()),
        }
    }
}

#[tokio::test]
async fn a_new_stream_takes_the_place_of_the_one_before() {
    let mut rig = rig_of(Chat, |layer| layer);
    assert_eq!(rig.get("/", None).await.status, StatusCode::NOT_FOUND);
    let first = rig.send("POST", "/", None).await;
    let old = rig.calls.recv().await.unwrap().stream();
    let first = first.await.unwrap().unwrap();
    old.send(Ok("data: old\n\n")).unwrap();

    let second = rig.send("POST", "/", None).await;
    let new = rig.calls.recv().await.unwrap().stream();
    let second = second.await.unwrap().unwrap();
    old.closed().await;
    drop(first);
    new.send(Ok("data: new\n\n")).unwrap();
    drop(new);
    assert_eq!(second.text().await, "id: 1\ndata: new\n\n");
    assert_eq!(rig.get("/", None).await.text().await, "id: 1\ndata: new\n\n");
    assert_eq!(rig.get("/", Some("1")).await.text().await, "");
    assert_eq!((rig.recordings.len(), rig.calls_waiting()), (1, 0));
}
