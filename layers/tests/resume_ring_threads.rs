//! Readers on many threads that attach while a fast writer appends.

#![cfg(feature = "resume")]

use std::future::poll_fn;

use agent_webkit_layers::resume::{
    Batch, Cursor, Event, EventStream, RingConfig, RingStream, Tail, encode_frame,
};

const EVENTS: u64 = 5_000;
const READERS: usize = 100;

fn event(seq: u64) -> Event {
    Event::new("n", seq.to_string())
}

async fn write(stream: RingStream) {
    let mut seq = 1;
    while seq <= EVENTS {
        let batch = seq..=EVENTS.min(seq + seq % 4);
        let appended = stream.append(Batch::new(batch.clone().map(event).collect())).await.unwrap();
        assert_eq!(appended, batch);
        seq = batch.end() + 1;
        if seq % 7 == 0 {
            tokio::task::yield_now().await;
        }
    }
    stream.close();
}

/// Reads to the end and returns the number of live events.
async fn read(stream: RingStream) -> u64 {
    let mut tail = stream.tail(Cursor::Oldest).await.unwrap();
    let mut seq = tail.attached().after;
    while let Some(chunk) = poll_fn(|cx| tail.poll_chunk(cx)).await {
        let chunk = chunk.expect("the lag budget is larger than the whole stream");
        let mut expected = Vec::new();
        while seq < chunk.last_seq {
            seq += 1;
            expected.extend_from_slice(&encode_frame(Some(seq), "n", seq.to_string().as_bytes()));
        }
        assert_eq!(chunk.bytes, expected);
    }
    assert_eq!(seq, EVENTS);
    EVENTS - tail.attached().bounds.last
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_that_join_all_through_a_fast_writer_see_no_gap_and_no_duplicate() {
    let stream = RingStream::new(RingConfig::default().window_events(100).chunk_bytes(500));
    let mut readers = vec![tokio::spawn(read(stream.clone()))];
    tokio::task::yield_now().await;
    let writer = tokio::spawn(write(stream.clone()));
    while !writer.is_finished() && readers.len() < READERS {
        readers.push(tokio::spawn(read(stream.clone())));
        tokio::task::yield_now().await;
    }
    writer.await.unwrap();
    let mut live = 0;
    for reader in readers {
        live += reader.await.unwrap();
    }
    assert!(live > 0, "somebody read while the writer wrote");
    assert_eq!(stream.readers().attached, 0);
    assert!(stream.held_bytes() < 100 * 40, "what was kept for readers is freed when they leave");
}
