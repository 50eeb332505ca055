//! The body of a reader: replay, state, live events, comments, and its end.

#![cfg(feature = "resume")]

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use agent_webkit_layers::resume::{
    Batch, Cursor, Event, EventLog, EventStream, Follow, RingConfig, RingLog, RingStream, RingTail,
    encode_frame,
};
use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout};

const COMMENT: &str = ": keepalive\n\n";

fn stream() -> RingStream {
    RingStream::new(RingConfig::default())
}

async fn append(stream: &RingStream, data: &'static str) {
    stream.append(Event::new("e", data).into()).await.unwrap();
}

async fn follow(stream: &RingStream, cursor: Cursor) -> Follow<RingTail> {
    Follow::new(stream.tail(cursor).await.unwrap(), Some(Duration::from_secs(15)))
}

fn state() -> Option<Bytes> {
    Some(encode_frame(None, "state", b"{}"))
}

async fn next(body: &mut Follow<RingTail>) -> Option<Bytes> {
    body.frame().await.map(|frame| frame.unwrap().into_data().unwrap())
}

#[tokio::test]
async fn the_state_comes_right_between_replay_and_live() {
    let stream = stream();
    append(&stream, "1").await;
    append(&stream, "2").await;
    let mut body = follow(&stream, Cursor::Oldest).await.with_state(state());
    append(&stream, "3").await;
    stream.close();
    let sent = body.collect().await.unwrap().to_bytes();
    assert_eq!(
        sent,
        "id: 1\nevent: e\ndata: 1\n\nid: 2\nevent: e\ndata: 2\n\nevent: state\ndata: {}\n\n\
         id: 3\nevent: e\ndata: 3\n\n"
    );
    body = follow(&stream, Cursor::After(3)).await.with_state(state());
    assert_eq!(body.collect().await.unwrap().to_bytes(), "event: state\ndata: {}\n\n");
}

#[tokio::test]
async fn the_state_comes_at_once_when_there_is_nothing_to_replay() {
    let stream = stream();
    let mut body = follow(&stream, Cursor::Oldest).await.with_state(state());
    append(&stream, "1").await;
    assert_eq!(next(&mut body).await.unwrap(), "event: state\ndata: {}\n\n");
    assert_eq!(next(&mut body).await.unwrap(), "id: 1\nevent: e\ndata: 1\n\n");
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_lives_on_through_many_comments() {
    let stream = stream();
    let mut body = follow(&stream, Cursor::Oldest).await;
    let start = Instant::now();
    for n in 1..=100 {
        assert_eq!(next(&mut body).await.unwrap(), COMMENT);
        assert_eq!(start.elapsed().as_secs(), n * 15);
    }
    append(&stream, "1").await;
    assert_eq!(next(&mut body).await.unwrap(), "id: 1\nevent: e\ndata: 1\n\n");
}

#[tokio::test(start_paused = true)]
async fn a_comment_comes_after_silence_only() {
    let stream = stream();
    let mut body = follow(&stream, Cursor::Oldest).await;
    assert!(timeout(Duration::from_secs(10), next(&mut body)).await.is_err());
    append(&stream, "1").await;
    assert_ne!(next(&mut body).await.unwrap(), COMMENT);
    let active = Instant::now();
    assert_eq!(next(&mut body).await.unwrap(), COMMENT);
    assert_eq!(active.elapsed(), Duration::from_secs(15));
}

#[tokio::test(start_paused = true)]
async fn keepalives_can_be_off() {
    let stream = stream();
    for off in [None, Some(Duration::ZERO)] {
        let mut body = Follow::new(stream.tail(Cursor::Oldest).await.unwrap(), off);
        assert!(timeout(Duration::from_secs(3600), next(&mut body)).await.is_err());
    }
}

#[tokio::test]
async fn an_evicted_reader_is_told_by_its_last_frame() {
    let stream = RingStream::new(RingConfig::default().window_events(2).lag_budget(100));
    append(&stream, "1").await;
    let mut body = follow(&stream, Cursor::Oldest).await;
    assert_eq!(next(&mut body).await.unwrap(), "id: 1\nevent: e\ndata: 1\n\n");
    for _ in 0..10 {
        append(&stream, "more").await;
    }
    let told = next(&mut body).await.unwrap();
    assert_eq!(
        told,
        "event: error\ndata: {\"code\":\"evicted\",\"message\":\"This reader fell too far behind: the events \
         after 1 are no longer all held: the oldest held is 10.\"}\n\n"
    );
    assert!(body.is_end_stream());
    assert_eq!(next(&mut body).await, None);
}

#[tokio::test]
async fn the_end_of_a_closed_stream_is_the_end_of_the_body() {
    let stream = stream();
    let mut body = follow(&stream, Cursor::Oldest).await;
    assert!(!body.is_end_stream());
    append(&stream, "1").await;
    stream.close();
    assert!(next(&mut body).await.is_some());
    assert_eq!(next(&mut body).await, None);
    assert!(body.is_end_stream());
    assert_eq!(body.size_hint().exact(), Some(0));
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_waiting_reader_is_woken_once_by_an_append_a_close_and_a_forget() {
    let log = RingLog::default();
    for key in ["closed", "forgotten"] {
        let stream = log.open(key).await.unwrap();
        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(Arc::clone(&wakes));
        let mut cx = Context::from_waker(&waker);
        let mut body = Follow::new(stream.tail(Cursor::Oldest).await.unwrap(), None);

        let mut leaving = Follow::new(stream.tail(Cursor::Oldest).await.unwrap(), None);
        assert!(Pin::new(&mut leaving).poll_frame(&mut cx).is_pending());
        drop(leaving);
        assert_eq!(Arc::strong_count(&wakes), 2, "a reader that left keeps nothing of its task");

        assert!(Pin::new(&mut body).poll_frame(&mut cx).is_pending());
        assert!(Pin::new(&mut body).poll_frame(&mut cx).is_pending());
        stream.append(Batch::new(vec![Event::new("e", "1"), Event::new("e", "2")])).await.unwrap();
        append(&stream, "3").await;
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1);

        assert!(Pin::new(&mut body).poll_frame(&mut cx).is_ready());
        assert!(Pin::new(&mut body).poll_frame(&mut cx).is_pending());
        if key == "closed" {
            stream.close();
        } else {
            log.forget(key).await.unwrap();
        }
        assert_eq!(wakes.0.load(Ordering::Relaxed), 2);
        assert!(matches!(Pin::new(&mut body).poll_frame(&mut cx), Poll::Ready(None)));
        assert_eq!(stream.readers().attached, 0, "a body that has ended is no reader");
    }
}
