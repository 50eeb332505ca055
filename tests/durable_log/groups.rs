//! Group commit: batches that wait are stored together.

use agent_webkit::{
    layers::resume::{EventLog, EventStream},
    storage::events::DurableConfig,
};

use crate::{place::Place, reader::numbers};

const STREAMS: i64 = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_streams_that_append_at_once_share_a_few_transactions() {
    let place = Place::postgres().await;
    let log = place.log(DurableConfig::default());
    let mut streams = Vec::new();
    for n in 0..STREAMS {
        streams.push(log.open(&n.to_string()).await.unwrap());
    }
    let appends: Vec<_> = streams
        .into_iter()
        .map(|stream| tokio::spawn(async move { stream.append(numbers(1..=3)).await.unwrap() }))
        .collect();
    for append in appends {
        assert_eq!(append.await.unwrap(), 1..=3);
    }
    assert_eq!(place.number("select count(*) from agent_webkit_events").await, 3 * STREAMS);
    // `xmin` is the transaction that wrote the row.
    let transactions = place.number("select count(distinct xmin::text) from agent_webkit_events").await;
    assert!(transactions <= STREAMS / 4, "{transactions} transactions");
}

#[tokio::test]
async fn batches_of_one_stream_that_wait_are_stored_in_their_order() {
    let place = Place::sqlite().await;
    let log = place.log(DurableConfig::default());
    let stream = log.open("key").await.unwrap();
    let appends = (0..50).map(|n| stream.append(numbers(n * 4 + 1..=n * 4 + 4)));
    let mut appends: Vec<_> = appends.map(Box::pin).collect();
    // Each append is polled once, in order, and not awaited.
    std::future::poll_fn(|cx| {
        for append in &mut appends {
            assert!(append.as_mut().poll(cx).is_pending());
        }
        std::task::Poll::Ready(())
    })
    .await;
    for (n, append) in appends.into_iter().enumerate().rev() {
        let first = n as u64 * 4 + 1;
        assert_eq!(append.await.unwrap(), first..=first + 3);
    }
}
