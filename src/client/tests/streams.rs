//! Streams: when they connect again, from where, and when they end.

use super::*;
use crate::{
    client::{Credential, EventStream, Item},
    proto::client::Numbered,
};

const STATE: &str =
    "event: session_state\ndata: {\"status\":\"idle\",\"pending\":[],\"oldest_seq\":1,\"as_of_seq\":3}\n\n";
const INFO: &str = r#"{"session_id":"s","oldest_seq":7,"as_of_seq":9,"model":null,"permission_mode":null,"cwd":"/","title":null,"created_at":1,"active_at":2,"status":"idle","pending":[]}"#;
const DONE: &str = "event: done\ndata: {}\n\n";

fn done(seq: u64) -> String {
    format!("id: {seq}\n{DONE}")
}

/// Reads to the end, and returns a word for each item.
async fn read(mut events: EventStream<Scripted>) -> Vec<String> {
    let mut words = Vec::new();
    while let Some(item) = events.next().await {
        words.push(match item {
            Ok(Item::Event(Numbered { seq, event })) if event.name() == "x" => seq.to_string(),
            Ok(Item::Event(Numbered { seq, event })) => format!("{seq} {}", event.name()),
            Ok(Item::State(state)) => format!("state {}", state.as_of_seq),
            Ok(Item::Compacted(range)) => format!("{range:?}"),
            Ok(Item::Reset(state)) => format!("reset {:?}", state.map(|state| state.as_of_seq)),
            Ok(Item::Reconnecting { reason: Error::Transport(source), .. }) => format!("lost: {source}"),
            Ok(Item::Reconnecting { reason, .. }) => format!("lost: {reason}"),
            Err(error) => format!("error: {error}"),
        });
    }
    assert!(events.next().await.is_none(), "the end stays the end");
    words
}

async fn all(server: &Scripted) -> Vec<String> {
    read(server.client().attach("s").events()).await
}

#[tokio::test(start_paused = true)]
async fn a_stream_goes_on_after_the_last_event_wherever_it_is_cut() {
    let whole =
        [event(1), event(2), STATE.to_owned(), ": keepalive\n\n".to_owned(), event(3), done(4)].concat();
    let from = |seq: u64| &whole[whole.find(&format!("id: {seq}\n")).unwrap()..];
    for cut in 0..whole.len() {
        for end in [End::Closed, End::Broken] {
            let complete = whole[..cut].matches("\n\n").count();
            let last = [0, 1, 2, 2, 2, 3][complete.min(5)];
            let server =
                Scripted::new([streamed([&whole[..cut]], end), streamed([from(last + 1)], End::Open)]);
            let words: Vec<_> = all(&server).await;
            let numbered: Vec<_> = words.iter().filter(|word| !word.starts_with(['s', 'l'])).collect();
            assert_eq!(numbered, ["1", "2", "3", "4 done"], "cut at {cut}: {words:?}");
            let last = if last == 0 { String::new() } else { last.to_string() };
            assert_eq!(server.last_event_ids(), [String::new(), last], "cut at {cut}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn it_connects_again_after_whatever_passes() {
    let server = Scripted::new([
        Answer::Broken,
        given_with(503, &[("retry-after", "7")]),
        given(502, "<html>"),
        Answer::Silent,
        streamed([event(1)], End::Open),
        streamed(
            [event(2), "event: error\ndata: {\"code\":\"evicted\",\"message\":\"too slow\"}\n\n".to_owned()],
            End::Closed,
        ),
        streamed([done(3)], End::Open),
    ]);
    let words = all(&server).await;
    let wanted = [
        "lost: broken",
        "lost: 503 Service Unavailable",
        "lost: 502 Bad Gateway",
        "lost: no answer came within 45s",
        "1",
        "lost: the stream was silent for 45s",
        "2",
        "lost: evicted: too slow",
        "3 done",
    ];
    assert_eq!(words, wanted);
    assert_eq!(server.last_event_ids(), ["", "", "", "", "", "1", "2"]);
    assert!(server.pauses()[1] >= Duration::from_secs(7), "{:?}", server.pauses());
}

#[tokio::test(start_paused = true)]
async fn pauses_grow_until_an_event_comes_and_are_never_shorter_than_the_server_says() {
    let mut answers = vec![Answer::Broken; 9];
    answers.push(streamed(["retry: 2000\n".to_owned(), event(1)], End::Broken));
    answers.extend([Answer::Broken, streamed([done(2)], End::Open)]);
    let server = Scripted::new(answers);
    all(&server).await;
    let pauses = server.pauses();
    let between = |pause: Duration, shortest: f64| {
        let pause = pause.as_secs_f64();
        assert!(pause >= shortest && pause <= shortest * 2.0 + 0.01, "{pause} from {shortest}");
    };
    for (pause, shortest) in pauses.iter().zip([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0, 2.0, 4.0]) {
        between(*pause, shortest);
    }
    assert_eq!(pauses.len(), 11);
}

#[tokio::test(start_paused = true)]
async fn bytes_keep_a_connection_alive_and_silence_ends_it() {
    let server =
        Scripted::new([streamed([event(1), STATE.to_owned()], End::Open), streamed([done(2)], End::Open)]);
    let events = server.client().silence(Duration::from_secs(20)).attach("s").events();
    assert_eq!(read(events).await, ["1", "state 3", "lost: the stream was silent for 20s", "2 done"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_longer_held_resets_with_the_state() {
    let server = Scripted::new([
        streamed([event(1)], End::Broken),
        given(412, r#"{"detail":"gone"}"#),
        given(200, INFO),
        streamed([event(7), done(8)], End::Open),
    ]);
    assert_eq!(all(&server).await, ["1", "lost: broken", "reset Some(9)", "7", "8 done"]);
    assert_eq!(server.last_event_ids(), ["", "1", "", ""]);
    assert_eq!(server.lines()[2], "GET http://h/agents/sessions/s");
}

#[tokio::test(start_paused = true)]
async fn an_attached_reader_resets_too_and_a_ticket_has_no_state() {
    let server = Scripted::new([given(412, ""), given(401, ""), streamed([event(7), done(8)], End::Open)]);
    let session = server.client().credential(Credential::Ticket("a b".to_owned())).attach("s");
    assert_eq!(read(session.events_after(3)).await, ["reset None", "7", "8 done"]);
    assert_eq!(server.lines()[0], "GET http://h/agents/sessions/s/stream?ticket=a%20b");
    assert_eq!(server.received()[0].credential, None);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_gone_ends_the_stream_and_one_that_never_was_is_an_error() {
    let server = Scripted::new([streamed([event(1)], End::Closed), given(404, "")]);
    assert_eq!(all(&server).await, ["1", "lost: the server closed the stream"]);
    let server = Scripted::new([streamed([event(1)], End::Closed), given(412, ""), given(404, "")]);
    assert_eq!(all(&server).await, ["1", "lost: the server closed the stream"]);
    let server = Scripted::new([given(404, r#"{"detail":"there is no such session"}"#)]);
    assert_eq!(all(&server).await, ["error: 404: there is no such session"]);
}

#[tokio::test(start_paused = true)]
async fn a_401_asks_the_callback_once() {
    let server = Scripted::new([
        streamed([event(1)], End::Closed),
        given(401, ""),
        streamed([event(2)], End::Closed),
        given(401, ""),
        given(401, r#"{"detail":"who are you?"}"#),
    ]);
    let events = server.client().renew_credential(numbered_tokens()).attach("s").events();
    let words = read(events).await;
    assert_eq!(
        words.iter().filter(|word| !word.starts_with("lost")).collect::<Vec<_>>(),
        ["1", "2", "error: 401: who are you?"]
    );
    let tokens: Vec<_> = server.received().into_iter().map(|received| received.credential.unwrap()).collect();
    assert_eq!(tokens, ["t1", "t1", "t2", "t2", "t3"].map(|token| format!("Bearer {token}")));
}

#[tokio::test(start_paused = true)]
async fn a_gap_is_an_error_unless_a_comment_reports_it() {
    let jump = format!(": compacted 2-5\n\n{}", event(6));
    let server = Scripted::new([streamed([event(1), jump], End::Broken), streamed([event(8)], End::Open)]);
    let words = all(&server).await;
    let error = "error: the server does not keep to the protocol: event 8 came after 6: events are missing";
    assert_eq!(words, ["1", "2..=5", "6", "lost: broken", error]);
}

#[tokio::test(start_paused = true)]
async fn a_cut_right_after_a_comment_counts_it() {
    let server = Scripted::new([
        streamed([event(1), ": compacted 2-5\n\n".to_owned()], End::Broken),
        streamed([done(6)], End::Open),
    ]);
    assert_eq!(all(&server).await, ["1", "2..=5", "lost: broken", "6 done"]);
    assert_eq!(server.last_event_ids(), ["", "5"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_event_stream_ends_it() {
    let server = Scripted::new([given_with(200, &[("content-type", "text/html")])]);
    assert!(all(&server).await[0].ends_with("the answer is no event stream: 200 OK, text/html"));
    let server = Scripted::new([given(403, r#"{"detail":"the scope read is missing"}"#)]);
    assert_eq!(all(&server).await, ["error: 403: the scope read is missing"]);
}

#[tokio::test(start_paused = true)]
async fn next_can_be_dropped_at_any_time() {
    let server = Scripted::new([
        Answer::Broken,
        streamed([event(1), event(2)], End::Open),
        streamed([done(3)], End::Open),
    ]);
    let (mut events, mut seen) = (server.client().attach("s").events(), Vec::new());
    loop {
        tokio::select! {
            item = events.next() => match item {
                Some(Ok(Item::Event(numbered))) => seen.push(numbered.seq),
                Some(item) => drop(item.unwrap()),
                None => break,
            },
            () = tokio::time::sleep(Duration::from_millis(1)) => {}
        }
    }
    assert_eq!((seen, events.last_seq()), (vec![1, 2, 3], Some(3)));
    assert_eq!(server.received().len(), 3, "a pause or a connection was begun again");
}
