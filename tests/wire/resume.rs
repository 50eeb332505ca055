//! Resuming a stream: no event is lost or sent twice, and lost events are reported.

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
    task::JoinSet,
};

use crate::support::{Client, Events, Frame, Reply, Script, Server, Session, bash};

fn ids(events: &Events) -> Vec<u64> {
    events.seen.iter().filter_map(|frame| frame.id).collect()
}

/// Checks that the ids rise by one from `first` on.
fn assert_contiguous(events: &Events, first: u64) {
    let ids = ids(events);
    let wanted: Vec<_> = (first..first + ids.len() as u64).collect();
    assert_eq!(ids, wanted);
}

#[tokio::test]
async fn a_replay_from_every_position_is_the_same_to_the_byte() {
    let server = Server::start().await;
    let mut session = server.session().await;
    session
        .turn(Script::new(json!([{"think": "hm"}, "some words", bash("toolu_a", "echo hi")])).then("done"))
        .await;
    let (client, id) = (session.client.clone(), session.id.clone());
    let last = session.events.last_id();
    let all: Vec<_> = session.events.seen.iter().filter(|frame| frame.id.is_some()).cloned().collect();
    assert!(all.len() > 10);

    for after in 0..=last {
        let mut replay = client.events_after(&id, after).await;
        let state = replay.until("session_state").await;
        assert_eq!((state.id, &state["as_of_seq"]), (None, &json!(last)));
        let wanted: Vec<u8> = all[after as usize..].iter().flat_map(|frame| frame.raw.clone()).collect();
        assert_eq!(replay.numbered_bytes(), wanted, "after {after}");
    }
    session.close().await;
}

#[tokio::test]
async fn readers_that_join_a_fast_stream_miss_nothing_and_see_nothing_twice() {
    let server = Server::start().await;
    let mut session = server.session().await;
    session.say(Script::slow(400, 2)).await;
    session.until("message_delta").await;

    let mut readers = JoinSet::new();
    for after in 0..40 {
        let (client, id) = (session.client.clone(), session.id.clone());
        readers.spawn(async move {
            let mut events = client.events_after(&id, after).await;
            events.until("done").await;
            assert_contiguous(&events, after + 1);
            (after, events.numbered_bytes())
        });
        // The next reader attaches at another moment of the stream.
        session.until("message_delta").await;
    }
    session.until("result").await;
    let stream = session.close().await;
    assert_contiguous(&stream, 1);
    while let Some(read) = readers.join_next().await {
        let (after, bytes) = read.unwrap();
        let seen = stream.seen.iter().filter(|frame| frame.id.is_some_and(|id| id > after));
        assert_eq!(bytes, seen.flat_map(|frame| frame.raw.clone()).collect::<Vec<_>>(), "after {after}");
    }
}

#[tokio::test]
async fn two_hundred_readers_see_the_same() {
    let server = Server::start().await;
    let mut session = server.session().await;
    let mut readers = JoinSet::new();
    for _ in 0..200 {
        let mut events = session.client.events(&session.id).await;
        readers.spawn(async move {
            events.until("done").await;
            events.numbered_bytes()
        });
    }
    session.turn(Script::slow(100, 1)).await;
    let wanted = session.close().await.numbered_bytes();
    while let Some(read) = readers.join_next().await {
        assert!(read.unwrap() == wanted, "a reader saw something else");
    }
}

#[tokio::test]
async fn what_is_gone_is_412_and_not_one_event_early() {
    let server = Server::builder().option("--log-window", "50").start().await;
    let mut session = server.session().await;
    session.turn(Script::slow(100, 0)).await;
    let last = session.events.last_id();
    let oldest = last - 50 + 1;
    let (client, id) = (session.client.clone(), session.id.clone());

    let state = client.get(&format!("/sessions/{id}")).await.json();
    assert_eq!(state["oldest_seq"], oldest, "{state}");
    for (after, status) in [
        (0, 412),
        (oldest - 2, 412),
        (oldest - 1, 200),
        (oldest, 200),
        (last, 200),
        (last + 1, 412),
        (u64::MAX, 412),
    ] {
        let response = client.stream(&id, Some(&after.to_string())).await;
        assert_eq!(response.status(), status, "after {after} of {oldest}..={last}");
        if status == 412 {
            assert!(!Reply::from(response).await.detail().is_empty());
        }
    }
    let mut oldest_held = client.events(&id).await;
    oldest_held.until("session_state").await;
    assert_eq!(oldest_held.seen[0].id, Some(oldest));
    let mut edge = client.events_after(&id, oldest - 1).await;
    edge.until("session_state").await;
    assert_eq!(edge.numbered_bytes(), oldest_held.numbered_bytes());
    session.close().await;
}

#[tokio::test]
async fn a_cursor_is_digits_and_the_header_wins() {
    let server = Server::start().await;
    let mut session = server.session().await;
    session.turn("hello").await;
    let (client, id) = (session.client.clone(), session.id.clone());
    for malformed in ["x", "-1", "+1", "1.0", "1 2", "0x1"] {
        let reply = Reply::from(client.stream(&id, Some(malformed)).await).await;
        assert_eq!(reply.status, 400, "{malformed:?}");
        assert!(!reply.detail().is_empty());
    }
    let ahead = client.stream(&id, Some("99999999999999999999999")).await;
    assert_eq!(ahead.status(), 412, "many digits are still digits");

    let first = |client: Client, query: &'static str, header: Option<&'static str>| {
        let path = format!("/sessions/{id}/stream{query}");
        async move {
            let headers: Vec<_> = header.map(|value| ("last-event-id", value)).into_iter().collect();
            let response = client.send(http::Method::GET, &path, &headers, "").await;
            assert_eq!(response.status(), 200, "{query} {header:?}");
            Events::new(response.into_body()).next().await.unwrap().id
        }
    };
    assert_eq!(first(client.clone(), "", None).await, Some(1));
    assert_eq!(first(client.clone(), "", Some("")).await, Some(1));
    assert_eq!(first(client.clone(), "?last_event_id=2", None).await, Some(3));
    assert_eq!(first(client.clone(), "?last_event_id=", None).await, Some(1));
    assert_eq!(first(client.clone(), "?last_event_id=2", Some("4")).await, Some(5));
    assert_eq!(first(client.clone(), "?other=1&last_event_id=2", None).await, Some(3));
    for malformed in ["x", "%D9%A1", "1%202"] {
        let path = format!("/sessions/{}/stream?last_event_id={malformed}", session.id);
        assert_eq!(client.get(&path).await.status, 400, "{malformed}");
    }
    session.close().await;
}

#[tokio::test]
async fn a_quiet_stream_lives() {
    let server = Server::builder().option("--keepalive", "0.2").start().await;
    let mut session = server.session().await;
    for _ in 0..5 {
        assert_eq!(session.events.comment().await, "keepalive");
    }
    let result = session.turn("still there?").await.pop().unwrap();
    assert_eq!(result["subtype"], "success");
    session.close().await;
}

#[tokio::test]
async fn dropping_a_stream_does_not_touch_the_run() {
    let server = Server::start().await;
    let mut session = server.session().await;
    session.say(Script::slow(60, 10)).await;
    session.until("message_delta").await;
    let seen = session.events.last_id();
    let Session { client, id, events } = session;
    drop(events);

    let mut resumed = client.events_after(&id, seen).await;
    let answer = resumed.until("message_complete").await;
    assert!(answer["message"]["content"][0]["text"].as_str().unwrap().ends_with("w59"));
    resumed.until("result").await;
    assert_contiguous(&resumed, seen + 1);
}

#[tokio::test]
async fn the_state_comes_between_replay_and_what_follows() {
    let server = Server::start().await;
    let mut session = server.session().await;
    session.turn("hello").await;
    let last = session.events.last_id();
    let mut late = session.client.events(&session.id).await;
    late.until("session_state").await;
    assert_eq!(late.last_id(), last);
    session.say("again").await;
    let next = late.next().await.unwrap();
    assert_eq!((next.id, next.event.as_str()), (Some(last + 1), "user_message"));
    session.close().await;
}

#[tokio::test]
async fn done_ends_the_body_of_every_reader() {
    let server = Server::start().await;
    let session = server.session().await;
    let mut other = session.client.events(&session.id).await;
    session.close().await;
    let last = other.rest().await.last().map(|frame: &Frame| frame.event.clone());
    assert_eq!(last.as_deref(), Some("done"));
}

#[tokio::test]
async fn a_reader_that_stalls_costs_nobody_and_is_told_when_it_is_too_far_behind() {
    let server = Server::builder().option("--log-window", "50").start().await;
    let mut session = server.session().await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    let mut stalled = socket.connect(server.authority().parse().unwrap()).await.unwrap();
    let (host, prefix) = (server.authority(), server.prefix());
    let (id, token) = (&session.id, crate::support::TOKEN);
    let request = format!(
        "GET {prefix}/sessions/{id}/stream HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
    );
    stalled.write_all(request.as_bytes()).await.unwrap();

    // Two megabytes per turn, in total more than the window, the lag budget and the socket buffers.
    let text = "0123456789abcde ".repeat(1024);
    for _ in 0..9 {
        session.turn(Script::new(json!({"text": text, "times": 64}))).await;
    }
    let stream = session.close().await;
    assert_contiguous(&stream, 1);

    let mut read = String::new();
    stalled.read_to_string(&mut read).await.unwrap();
    let end = &read[read.len().saturating_sub(400)..];
    assert!(end.contains("event: error\n") && end.contains(r#""code":"evicted""#), "{end}");
    assert!(!read.contains("event: done"), "nothing follows a gap");
}
