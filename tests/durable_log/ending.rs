//! The ends of a stream: closed, released, forgotten, or dropped.

use std::{future::poll_fn, pin::pin, task::Poll};

use agent_webkit::{
    layers::resume::{AppendError, Bounds, Cursor, EventLog, EventStream, Evicted, RingConfig, TailError},
    storage::events::DurableConfig,
};

use crate::{
    place::{Place, on_both},
    reader::{Reader, eventually, frames, numbers},
};

async fn a_closed_stream_ends_its_tails_and_those_of_whoever_finds_it(place: Place) {
    let log = place.log(DurableConfig::default());
    let stream = log.open("key").await.unwrap();
    let mut reader = Reader::attach(&stream, Cursor::Oldest).await;
    stream.append(numbers(1..=5)).await.unwrap();
    stream.close();
    assert!(matches!(stream.append(numbers(6..=6)).await, Err(AppendError::Closed)));
    assert_eq!(reader.rest().await, frames(1..=5));
    assert_eq!(stream.bounds(), Bounds { oldest: 1, last: 5, closed: true });

    let found = place.log(DurableConfig::default()).find("key").await.unwrap().unwrap();
    assert!(found.bounds().closed);
    assert_eq!(Reader::attach(&found, Cursor::After(2)).await.rest().await, frames(3..=5));
    assert_eq!(Reader::attach(&found, Cursor::After(5)).await.rest().await, []);
    let opened = place.log(DurableConfig::default()).open("key").await.unwrap();
    assert!(matches!(opened.append(numbers(6..=6)).await, Err(AppendError::Closed)));
    assert_eq!(Reader::attach(&opened, Cursor::Oldest).await.rest().await, frames(1..=5));
}

async fn what_was_appended_before_a_close_is_shown_before_the_end(place: Place) {
    let log = place.log(DurableConfig::default());
    let stream = log.open("key").await.unwrap();
    let mut reader = Reader::attach(&stream, Cursor::Oldest).await;
    let mut append = pin!(stream.append(numbers(1..=200)));
    let polled = poll_fn(|cx| Poll::Ready(append.as_mut().poll(cx).is_ready())).await;
    stream.close();
    if !polled {
        assert_eq!(append.await.unwrap(), 1..=200);
    }
    assert_eq!(reader.rest().await, frames(1..=200));
}

async fn a_stream_that_is_closed_and_released_at_once_is_closed(place: Place) {
    let log = place.log(DurableConfig::default());
    let stream = log.open("key").await.unwrap();
    stream.append(numbers(1..=3)).await.unwrap();
    stream.close();
    stream.release();
    eventually("the close", async || log.find("key").await.unwrap().unwrap().bounds().closed).await;
}

async fn a_released_stream_ends_its_tails_here_and_goes_on_where_it_is_opened(place: Place) {
    let log = place.log(DurableConfig::default());
    let stream = log.open("key").await.unwrap();
    stream.append(numbers(1..=50)).await.unwrap();
    let (mut idle, mut behind) =
        (Reader::attach(&stream, Cursor::After(50)).await, Reader::attach(&stream, Cursor::After(10)).await);
    stream.release();
    assert_eq!(idle.rest().await, []);
    assert_eq!(behind.rest().await, frames(11..=50));
    assert_eq!(stream.held_bytes(), 0, "nothing of it is left in memory");
    assert!(matches!(stream.append(numbers(51..=51)).await, Err(AppendError::Fenced)));

    let view = log.find("key").await.unwrap().unwrap();
    assert_eq!(view.bounds(), Bounds { oldest: 1, last: 50, closed: false });
    let again = log.open("key").await.unwrap();
    let mut reader = Reader::attach(&again, Cursor::After(10)).await;
    again.append(numbers(51..=52)).await.unwrap();
    assert_eq!(reader.until(52).await, frames(11..=52));
}

async fn a_forgotten_stream_evicts_those_who_had_still_to_read(place: Place) {
    let recent = RingConfig::default().window_events(5);
    let log = place.log(DurableConfig::default().recent(recent));
    let stream = log.open("key").await.unwrap();
    stream.append(numbers(1..=2000)).await.unwrap();
    let mut done = Reader::attach(&stream, Cursor::After(2000)).await;
    let mut behind = Reader::attach(&stream, Cursor::After(1996)).await;
    let mut far_behind = Reader::attach(&stream, Cursor::After(10)).await;
    // A page.
    far_behind.until(512).await;
    log.forget("key").await.unwrap();
    assert_eq!(done.rest().await, []);
    assert!(matches!(behind.chunk().await, Some(Err(Evicted { after: 1996, oldest: 2001 }))));
    assert!(matches!(far_behind.chunk().await, Some(Err(_))));
    assert!(far_behind.chunk().await.is_none());
    assert!(matches!(stream.append(numbers(1..=1)).await, Err(AppendError::Closed)));
    assert!(matches!(stream.tail(Cursor::After(10)).await, Err(TailError::Forgotten)));
    assert!(log.find("key").await.unwrap().is_none());
    assert_eq!(place.number("select count(*) from agent_webkit_events").await, 0);
    log.forget("key").await.unwrap();

    let new = log.open("key").await.unwrap();
    assert_eq!(new.bounds(), Bounds::EMPTY);
    assert_eq!(new.append(numbers(1..=1)).await.unwrap(), 1..=1);
}

async fn an_append_that_nobody_waits_for_is_stored_and_shown_or_neither(place: Place) {
    let log = place.log(DurableConfig::default());
    let stream = log.open("key").await.unwrap();
    let mut reader = Reader::attach(&stream, Cursor::Oldest).await;
    let mut next = 1;
    for round in 0..50 {
        {
            let mut cancelled = pin!(stream.append(numbers(next..=next + 2)));
            // The future is polled this many times, then dropped.
            for _ in 0..round % 3 {
                let polled = poll_fn(|cx| Poll::Ready(cancelled.as_mut().poll(cx).is_ready())).await;
                if polled {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        // Once a later batch is stored, it is certain whether this one was.
        let note = agent_webkit::layers::resume::Batch { note: Some("n".into()), ..Default::default() };
        stream.append(note).await.unwrap();
        let last = stream.bounds().last;
        assert!(last == next - 1 || last == next + 2, "all of it or nothing");
        assert!(round % 3 != 0 || last == next - 1, "one that was never polled is not there");
        next = last + 1;
    }
    assert_eq!(reader.until(next - 1).await, frames(1..=next - 1));
    assert_eq!(place.number("select count(*) from agent_webkit_events").await as u64, next - 1);
    stream.append(numbers(next..=next)).await.unwrap();
}

async fn a_log_that_is_shut_down_has_stored_what_it_took(place: Place) {
    let log = place.log(DurableConfig::default());
    let stream = log.open("key").await.unwrap();
    let mut reader = Reader::attach(&stream, Cursor::Oldest).await;
    let append = tokio::spawn({
        let stream = stream.clone();
        async move { stream.append(numbers(1..=100)).await }
    });
    eventually("the append", async || stream.bounds().last == 100 || append.is_finished()).await;
    log.shutdown().await;
    assert_eq!(append.await.unwrap().unwrap(), 1..=100);
    assert_eq!(reader.rest().await, frames(1..=100));
    assert!(stream.append(numbers(101..=101)).await.is_err());
}

on_both!(
    a_closed_stream_ends_its_tails_and_those_of_whoever_finds_it,
    what_was_appended_before_a_close_is_shown_before_the_end,
    a_stream_that_is_closed_and_released_at_once_is_closed,
    a_released_stream_ends_its_tails_here_and_goes_on_where_it_is_opened,
    a_forgotten_stream_evicts_those_who_had_still_to_read,
    an_append_that_nobody_waits_for_is_stored_and_shown_or_neither,
    a_log_that_is_shut_down_has_stored_what_it_took,
);
