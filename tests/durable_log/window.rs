//! A window as the retention rule.

use agent_webkit::{
    layers::resume::{Bounds, Cursor, EventLog, EventStream, Evicted, RingConfig, TailError},
    storage::events::DurableConfig,
};

use crate::{
    place::{Place, on_both},
    reader::{Reader, eventually, frames, numbers},
};

fn config(window: u64, lag_budget: usize) -> DurableConfig {
    let recent = RingConfig::default().window_events(10).lag_budget(lag_budget);
    DurableConfig::default().window_events(window).recent(recent)
}

async fn exactly_the_window_can_be_resumed(place: Place) {
    let log = place.log(config(100, 8 << 20));
    let mut stream = log.open("key").await.unwrap();
    let mut last = 0;
    for step in [1, 98, 1, 1, 1, 400, 700, 1] {
        stream.append(numbers(last + 1..=last + step)).await.unwrap();
        last += step;
        if step == 700 {
            stream.release();
            stream = log.open("key").await.unwrap();
        }
        let oldest = last.saturating_sub(99).max(1);
        assert_eq!(stream.bounds(), Bounds { oldest, last, closed: false });
        let mut reader = Reader::attach(&stream, Cursor::After(oldest - 1)).await;
        assert_eq!(reader.until(last).await, frames(oldest..=last));
        let mut reader = Reader::attach(&stream, Cursor::Oldest).await;
        assert_eq!(reader.until(last).await, frames(oldest..=last));
        if oldest > 1 {
            match stream.tail(Cursor::After(oldest - 2)).await {
                Err(TailError::Evicted(evicted)) => {
                    assert_eq!(evicted, Evicted { after: oldest - 2, oldest });
                }
                other => panic!("{other:?}"),
            }
        }
    }
    let rows = "select count(*) from agent_webkit_events";
    stream.append(numbers(last + 1..=last + 5000)).await.unwrap();
    eventually("trimming", async || place.number(rows).await < 600).await;
    stream.close();
    eventually("trimming of a closed stream", async || place.number(rows).await == 100).await;
}

async fn a_reader_in_the_middle_of_a_replay_is_kept_what_it_has_to_read(place: Place) {
    let log = place.log(config(1500, 8 << 20));
    let stream = log.open("key").await.unwrap();
    stream.append(numbers(1..=1500)).await.unwrap();
    let mut reader = Reader::attach(&stream, Cursor::Oldest).await;
    // A page.
    reader.until(512).await;
    let first = reader.seq;
    let another = Reader::attach(&stream, Cursor::After(1000)).await;
    for from in (1501..=8000).step_by(100) {
        stream.append(numbers(from..=from + 99)).await.unwrap();
    }
    drop(another);
    // Events that the reader has received are dropped, the others are kept.
    let oldest = "select min(seq) from agent_webkit_events";
    eventually("trimming", async || place.number(oldest).await > 500).await;
    assert!(place.number(oldest).await as u64 <= first + 1);
    assert_eq!(reader.until(8000).await, frames(first + 1..=8000));
    drop(reader);
    stream.append(numbers(8001..=9000)).await.unwrap();
    let rows = "select count(*) from agent_webkit_events";
    eventually("trimming", async || place.number(rows).await < 2000).await;
}

async fn a_reader_that_stalls_in_a_replay_is_told_once_its_budget_is_spent(place: Place) {
    let log = place.log(config(1500, 20_000));
    let stream = log.open("key").await.unwrap();
    stream.append(numbers(1..=1500)).await.unwrap();
    let mut reader = Reader::attach(&stream, Cursor::Oldest).await;
    stream.append(numbers(1501..=9000)).await.unwrap();
    let rows = "select count(*) from agent_webkit_events";
    eventually("trimming", async || place.number(rows).await < 2000).await;
    let told = loop {
        match reader.chunk().await {
            Some(Ok(_)) => {}
            Some(Err(evicted)) => break evicted,
            None => panic!("not told"),
        }
    };
    assert_eq!(told.after, reader.seq);
    assert!(told.oldest > told.after + 1);
}

async fn a_reader_of_a_released_stream_is_evicted_where_the_next_opener_trims(place: Place) {
    let log = place.log(config(1500, 8 << 20));
    let stream = log.open("key").await.unwrap();
    stream.append(numbers(1..=1500)).await.unwrap();
    let mut reader = Reader::attach(&stream, Cursor::Oldest).await;
    stream.append(numbers(1501..=3000)).await.unwrap();
    stream.release();
    // Opening trims the stream to the window, because the readers of the released stream are not known here.
    let _opened = log.open("key").await.unwrap();
    let rows = "select count(*) from agent_webkit_events";
    eventually("trimming", async || place.number(rows).await == 1500).await;
    // The page that it has read before.
    reader.until(512).await;
    assert_eq!(reader.chunk().await.unwrap().unwrap_err(), Evicted { after: 512, oldest: 1501 });
}

async fn what_the_last_reader_of_a_closed_stream_had_to_be_given_goes_with_it(place: Place) {
    let log = place.log(config(100, 8 << 20));
    let stream = log.open("key").await.unwrap();
    stream.append(numbers(1..=100)).await.unwrap();
    let reader = Reader::attach(&stream, Cursor::Oldest).await;
    stream.append(numbers(101..=1000)).await.unwrap();
    stream.close();
    // After this read there is no event that the writer has still to store, and no step of retention.
    assert_eq!(Reader::attach(&stream, Cursor::After(1000)).await.rest().await, []);
    let rows = "select count(*) from agent_webkit_events";
    assert!(place.number(rows).await > 900, "they are kept for the reader");
    drop(reader);
    eventually("trimming of a closed stream", async || place.number(rows).await == 100).await;
}

on_both!(
    exactly_the_window_can_be_resumed,
    a_reader_in_the_middle_of_a_replay_is_kept_what_it_has_to_read,
    a_reader_that_stalls_in_a_replay_is_told_once_its_budget_is_spent,
    a_reader_of_a_released_stream_is_evicted_where_the_next_opener_trims,
    what_the_last_reader_of_a_closed_stream_had_to_be_given_goes_with_it,
);
