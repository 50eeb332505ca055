//! Resuming a stream.

use serde_json::json;
use tokio::task::JoinSet;

use super::words;
use crate::{
    host::{Host, WINDOW},
    support::{Events, Frame, Reply, Session},
};

fn assert_contiguous(events: &Events, first: u64) {
    let ids: Vec<_> = events.seen.iter().filter_map(|frame| frame.id).collect();
    assert!(ids.iter().copied().eq(first..first + ids.len() as u64), "{ids:?} does not count from {first}");
}

fn bytes_after(events: &Events, after: u64) -> Vec<u8> {
    let later = |frame: &&Frame| frame.id.is_some_and(|id| id > after);
    events.seen.iter().filter(later).flat_map(|frame| frame.raw.clone()).collect()
}

/// Reads until this many words were received.
async fn read_words(session: &mut Session, words: usize) {
    for _ in 0..words {
        session.until("message_delta").await;
    }
}

pub(crate) async fn a_cursor_is_digits(mut host: Host) {
    let (session, _agent) = host.session().await;
    for malformed in ["x", "-1", "+1", "1.0", "0x1"] {
        let reply = Reply::from(session.client.stream(&session.id, Some(malformed)).await).await;
        assert_eq!(reply.status, 400, "{malformed:?}");
        assert!(!reply.detail().is_empty());
        let path = format!("/sessions/{}/stream?last_event_id={malformed}", session.id);
        assert_eq!(session.client.get(&path).await.status, 400, "?{malformed}");
    }
    let empty = session.client.stream(&session.id, Some("")).await;
    assert_eq!(Events::new(empty.into_body()).next().await.unwrap().id, Some(1));
}

pub(crate) async fn a_replay_from_every_position_is_the_same_to_the_byte(mut host: Host) {
    let (mut session, agent) = host.session().await;
    words(&agent, 30).await;
    read_words(&mut session, 30).await;
    let last = session.events.last_id();
    for after in 0..last {
        let mut replay = session.client.events_after(&session.id, after).await;
        replay.until_where("the last event", |frame| frame.id == Some(last)).await;
        assert_eq!(replay.numbered_bytes(), bytes_after(&session.events, after), "after {after}");
    }
    let mut waiting = session.client.events_after(&session.id, last).await;
    words(&agent, 1).await;
    assert_eq!(waiting.until("message_delta").await.id, Some(last + 1));
}

pub(crate) async fn readers_that_join_meanwhile_miss_nothing_and_see_nothing_twice(mut host: Host) {
    let (mut session, agent) = host.session().await;
    words(&agent, 10).await;
    read_words(&mut session, 10).await;
    let mut readers = JoinSet::new();
    for _ in 0..30 {
        let after = session.events.last_id();
        // The reader attaches while these events arrive. All of them fit into the window.
        let (mut events, ()) =
            tokio::join!(session.client.events_after(&session.id, after), words(&agent, 20));
        readers.spawn(async move {
            events.until("done").await;
            (after, events)
        });
        read_words(&mut session, 20).await;
    }
    let stream = session.close().await;
    assert_contiguous(&stream, 1);
    for (after, events) in readers.join_all().await {
        assert_contiguous(&events, after + 1);
        assert_eq!(events.numbered_bytes(), bytes_after(&stream, after), "after {after}");
    }
}

pub(crate) async fn what_is_gone_is_412_and_not_one_event_early(mut host: Host) {
    let (mut session, agent) = host.session().await;
    words(&agent, 2 * WINDOW as usize).await;
    read_words(&mut session, 2 * WINDOW as usize).await;
    let last = session.events.last_id();
    let oldest = last - WINDOW + 1;
    for (after, status) in [
        (0, 412),
        (oldest - 2, 412),
        (oldest - 1, 200),
        (oldest, 200),
        (last, 200),
        (last + 1, 412),
        (u64::MAX, 412),
    ] {
        let response = session.client.stream(&session.id, Some(&after.to_string())).await;
        assert_eq!(response.status(), status, "after {after} of {oldest}..={last}");
        if status == 412 {
            assert!(!Reply::from(response).await.detail().is_empty());
        }
    }
    let mut held = session.client.events(&session.id).await;
    assert_eq!(held.next().await.unwrap().id, Some(oldest));
}

pub(crate) async fn the_state_comes_between_replay_and_what_follows(mut host: Host) {
    let (mut session, agent) = host.session().await;
    words(&agent, 5).await;
    read_words(&mut session, 5).await;
    let last = session.events.last_id();
    let mut late = session.client.events_after(&session.id, 2).await;
    let state = late.until("session_state").await;
    assert_eq!((state.id, &state["as_of_seq"], late.last_id()), (None, &json!(last), last));
    words(&agent, 1).await;
    assert_eq!(late.next().await.unwrap().id, Some(last + 1));
}

pub(crate) async fn a_late_reader_finds_the_open_prompt(mut host: Host) {
    let (mut session, agent) = host.session().await;
    agent.asks("toolu_1").await;
    words(&agent, 2 * WINDOW as usize).await;
    read_words(&mut session, 2 * WINDOW as usize).await;
    let mut late = session.client.events(&session.id).await;
    let state = late.until("session_state").await;
    assert_eq!(state["pending"][0]["correlation_id"], "toolu_1", "its own event left the window");
    assert!(late.all("permission_request").next().is_none());
}
