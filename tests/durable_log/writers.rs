//! A stream has one writer at a time.

use agent_webkit::{
    layers::resume::{AppendError, Cursor, EventLog, EventStream, TailError},
    storage::events::DurableConfig,
};

use crate::{
    place::{Place, on_both},
    reader::{PATIENCE, Reader, frames, numbers},
};

async fn sequence_numbers_go_on_after_the_stream_is_opened_again(place: Place) {
    for turn in 0..4 {
        let log = place.log(DurableConfig::default());
        let stream = log.open("key").await.unwrap();
        assert_eq!(stream.bounds().last, turn * 10);
        let batch = turn * 10 + 1..=turn * 10 + 10;
        assert_eq!(stream.append(numbers(batch.clone())).await.unwrap(), batch);
        let mut reader = Reader::attach(&stream, Cursor::Oldest).await;
        assert_eq!(reader.until(*batch.end()).await, frames(1..=*batch.end()));
        log.shutdown().await;
    }
}

async fn a_stream_that_is_opened_twice_here_is_the_same(place: Place) {
    let log = place.log(DurableConfig::default());
    let (first, second) = tokio::join!(log.open("key"), log.open("key"));
    let (first, second) = (first.unwrap(), second.unwrap());
    first.append(numbers(1..=1)).await.unwrap();
    second.append(numbers(2..=2)).await.unwrap();
    let found = log.find("key").await.unwrap().unwrap();
    found.append(numbers(3..=3)).await.unwrap();
    assert_eq!(first.bounds().last, 3);
}

async fn whoever_opens_a_stream_fences_those_before(place: Place) {
    let (ours, theirs) = (place.log(DurableConfig::default()), place.log(DurableConfig::default()));
    let old = ours.open("key").await.unwrap();
    old.append(numbers(1..=5)).await.unwrap();
    let mut reader = Reader::attach(&old, Cursor::Oldest).await;

    let new = theirs.open("key").await.unwrap();
    assert_eq!(new.append(numbers(6..=6)).await.unwrap(), 6..=6);
    assert!(matches!(old.append(numbers(6..=6)).await, Err(AppendError::Fenced)));
    assert_eq!(reader.rest().await, frames(1..=5), "its tails end without a word");
    assert!(matches!(old.append(numbers(6..=6)).await, Err(AppendError::Fenced)));

    let view = ours.find("key").await.unwrap().unwrap();
    assert_eq!(view.bounds().last, 6);
    assert!(matches!(view.append(numbers(7..=7)).await, Err(AppendError::Fenced)));
    assert_eq!(Reader::attach(&view, Cursor::Oldest).await.rest().await, frames(1..=6));

    let back = ours.open("key").await.unwrap();
    assert_eq!(back.append(numbers(7..=7)).await.unwrap(), 7..=7);
    assert!(matches!(new.append(numbers(7..=7)).await, Err(AppendError::Fenced)));
}

async fn a_writer_that_was_overtaken_unnoticed_says_nothing_of_newer_events(place: Place) {
    let (ours, theirs) = (place.log(DurableConfig::default()), place.log(DurableConfig::default()));
    let old = ours.open("key").await.unwrap();
    old.append(numbers(1..=5)).await.unwrap();
    let mut reader = Reader::attach(&old, Cursor::Oldest).await;
    assert!(matches!(old.tail(Cursor::After(6)).await, Err(TailError::Ahead { after: 6, last: 5 })));

    let new = theirs.open("key").await.unwrap();
    new.append(numbers(6..=7)).await.unwrap();
    assert!(matches!(old.tail(Cursor::After(7)).await, Err(TailError::Fenced)));
    assert_eq!(reader.rest().await, frames(1..=5), "its readers go where the writer is");
    assert!(matches!(new.tail(Cursor::After(8)).await, Err(TailError::Ahead { after: 8, last: 7 })));
    theirs.forget("key").await.unwrap();
    for cursor in [Cursor::Oldest, Cursor::After(7), Cursor::After(8)] {
        assert!(matches!(new.tail(cursor).await, Err(TailError::Forgotten)), "{cursor:?}");
    }
}

async fn a_stream_that_was_taken_over_unnoticed_is_taken_back_by_opening_it(place: Place) {
    let (ours, theirs) = (place.log(DurableConfig::default()), place.log(DurableConfig::default()));
    ours.open("key").await.unwrap().append(numbers(1..=1)).await.unwrap();
    theirs.open("key").await.unwrap().append(numbers(2..=2)).await.unwrap();
    let back = ours.open("key").await.unwrap();
    assert_eq!(back.append(numbers(3..=3)).await.unwrap(), 3..=3);
}

async fn a_fenced_stream_fails_no_other_of_its_group(place: Place) {
    let (ours, theirs) = (place.log(DurableConfig::default()), place.log(DurableConfig::default()));
    let fenced = ours.open("fenced").await.unwrap();
    let forgotten = ours.open("forgotten").await.unwrap();
    let well = ours.open("well").await.unwrap();
    theirs.open("fenced").await.unwrap();
    theirs.forget("forgotten").await.unwrap();
    let (well, fenced, forgotten) = tokio::join!(
        well.append(numbers(1..=3)),
        fenced.append(numbers(1..=3)),
        forgotten.append(numbers(1..=3))
    );
    assert_eq!(well.unwrap(), 1..=3);
    assert!(matches!(fenced, Err(AppendError::Fenced)));
    assert!(matches!(forgotten, Err(AppendError::Fenced)));
    assert_eq!(place.number("select count(*) from agent_webkit_events").await, 3);
}

async fn of_many_that_open_and_append_at_once_one_is_left_and_no_number_is_given_twice(place: Place) {
    let logs: Vec<_> = (0..4).map(|_| place.log(DurableConfig::default())).collect();
    let writers = logs.iter().cloned().map(|log| {
        tokio::spawn(async move {
            let mut given = Vec::new();
            for _ in 0..5 {
                let stream = log.open("key").await.unwrap();
                for _ in 0..20 {
                    let next = stream.bounds().last + 1;
                    match stream.append(numbers(next..=next + 1)).await {
                        Ok(seqs) => given.extend(seqs),
                        Err(AppendError::Fenced) => break,
                        Err(error) => panic!("{error}"),
                    }
                }
            }
            given
        })
    });
    let mut given = Vec::new();
    for writer in writers.collect::<Vec<_>>() {
        given.extend(tokio::time::timeout(PATIENCE, writer).await.unwrap().unwrap());
    }
    given.sort_unstable();
    let last = given.len() as u64;
    assert_eq!(given, (1..=last).collect::<Vec<_>>());
    let stored = place.numbers("select seq from agent_webkit_events order by seq").await;
    assert_eq!(stored, (1..=last as i64).collect::<Vec<_>>());
    let stream = logs[0].open("key").await.unwrap();
    assert_eq!(Reader::attach(&stream, Cursor::Oldest).await.until(last).await, frames(1..=last));
    stream.append(numbers(last + 1..=last + 1)).await.unwrap();
}

on_both!(
    sequence_numbers_go_on_after_the_stream_is_opened_again,
    a_stream_that_is_opened_twice_here_is_the_same,
    whoever_opens_a_stream_fences_those_before,
    a_writer_that_was_overtaken_unnoticed_says_nothing_of_newer_events,
    a_stream_that_was_taken_over_unnoticed_is_taken_back_by_opening_it,
    a_fenced_stream_fails_no_other_of_its_group,
    of_many_that_open_and_append_at_once_one_is_left_and_no_number_is_given_twice,
);
