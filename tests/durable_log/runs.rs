//! Runs: events that share a row.

use agent_webkit::{
    layers::resume::{Batch, Cursor, Event, EventLog, EventStream, RingConfig},
    storage::events::DurableConfig,
};

use crate::{
    place::{Place, on_both},
    reader::{Reader, frame, note, numbers},
};

/// A configuration that keeps only newly appended events in memory.
fn config() -> DurableConfig {
    DurableConfig::default().recent(RingConfig::default().window_events(1))
}

/// Events of all sizes, and of several kinds.
fn mixed(count: u64) -> Vec<Event> {
    (0..count)
        .map(|n| {
            let name = if n % 40 < 30 { "text" } else { "tool" };
            Event::new(name, "é".repeat((n * n % 97) as usize))
        })
        .collect()
}

async fn events_that_are_alike_share_a_row_and_can_be_looked_at_one_by_one(place: Place) {
    let stream = place.log(config()).open("key").await.unwrap();
    stream.append(Batch::new(mixed(400))).await.unwrap();
    assert_eq!(place.number("select count(*) from agent_webkit_runs").await, 20);
    let seqs = place.numbers("select seq from agent_webkit_events order by seq").await;
    assert_eq!(seqs, (1..=400).collect::<Vec<_>>());
    let sizes =
        place.numbers("select cast(length(data) as bigint) from agent_webkit_events order by seq").await;
    let expected: Vec<_> = mixed(400).iter().map(|event| event.data.len() as i64).collect();
    assert_eq!(sizes, expected);
    let rows = "select count(*) from agent_webkit_events where name = 'text' and seq <= 40";
    assert_eq!(place.number(rows).await, 30);
}

async fn a_look_at_one_stream_does_not_go_through_the_others(place: Place) {
    let log = place.log(config());
    for key in ["one", "other"] {
        log.open(key).await.unwrap().append(Batch::new(mixed(100))).await.unwrap();
    }
    // Damages the row, so that a reader of it fails.
    let of = |key: &str| format!("stream = (select id from agent_webkit_streams where key = '{key}')");
    let spoil = format!("update agent_webkit_runs set sizes = 'nonsense' where {}", of("other"));
    let place = place.reopened_after(&spoil).await;
    let rows = format!("select count(*) from agent_webkit_events where {}", of("one"));
    assert_eq!(place.number(&rows).await, 100);
}

async fn a_replay_may_begin_in_the_middle_of_a_row(place: Place) {
    let log = place.log(config());
    let stream = log.open("key").await.unwrap();
    let events = mixed(700);
    stream.append(Batch::new(events.clone())).await.unwrap();
    for after in (0..700).step_by(7) {
        let rest: Vec<_> = (after + 1..).zip(&events[after as usize..]).collect();
        let rest: Vec<_> = rest.into_iter().map(|(seq, event)| frame(seq, event)).collect();
        let mut reader = Reader::attach(&stream, Cursor::After(after)).await;
        assert_eq!(reader.until(700).await, rest, "after {after}");
    }
}

async fn a_write_that_is_refused_stores_none_of_its_rows(place: Place) {
    let (ours, theirs) = (place.log(config()), place.log(config()));
    let stream = ours.open("key").await.unwrap();
    stream.append(numbers(1..=10)).await.unwrap();
    theirs.open("key").await.unwrap();
    assert!(stream.append(Batch::new(mixed(4000))).await.is_err());
    assert_eq!(place.number("select count(*) from agent_webkit_events").await, 10);
}

async fn of_many_rows_in_a_group_those_are_stored_whose_stream_is_ours(place: Place) {
    let (ours, theirs) = (place.log(config()), place.log(config()));
    let mut streams = Vec::new();
    for n in 0..100 {
        streams.push(ours.open(&n.to_string()).await.unwrap());
        if n % 10 == 0 {
            theirs.open(&n.to_string()).await.unwrap();
        }
    }
    let batch = |n: usize| Batch { note: Some(n.to_string().into()), ..Batch::new(mixed(n as u64)) };
    let appends: Vec<_> = streams
        .into_iter()
        .enumerate()
        .map(|(n, stream)| tokio::spawn(async move { stream.append(batch(n)).await }))
        .collect();
    for (n, append) in appends.into_iter().enumerate() {
        assert_eq!(append.await.unwrap().is_ok(), n % 10 != 0, "{n}");
        let note = note(&ours, &n.to_string()).await;
        assert_eq!(note, (n % 10 != 0).then(|| n.to_string().into()));
    }
    let stored: i64 = (0..100).filter(|n| n % 10 != 0).sum();
    assert_eq!(place.number("select count(*) from agent_webkit_events").await, stored);
    let told = "select cast(sum(last_seq) as bigint) from agent_webkit_streams";
    assert_eq!(place.number(told).await, stored);
}

async fn what_an_earlier_version_stored_is_read_and_goes_on(place: Place) {
    let log = place.log(config());
    let stream = log.open("key").await.unwrap();
    let mut events = mixed(150);
    for event in &events {
        stream.append(event.clone().into()).await.unwrap();
    }
    log.shutdown().await;
    assert_eq!(place.number("select count(*) from agent_webkit_runs").await, 150);
    // The tables of an earlier version, where a row held one event.
    let place = place
        .reopened_after(
            "drop view agent_webkit_events;
            alter table agent_webkit_runs drop column sizes;
            alter table agent_webkit_runs drop column events;
            alter table agent_webkit_runs rename to agent_webkit_events;
            alter table agent_webkit_sessions drop column tombstoned_at_ms;
            drop index agent_webkit_sessions_wakes_idx;
            drop index agent_webkit_sessions_page_idx;
            alter table agent_webkit_sessions drop column wakes_at_ms;
            alter table agent_webkit_sessions drop column profile;
            alter table agent_webkit_streams drop column touched_at_ms;
            delete from agent_webkit_migrations where version >= 4;",
        )
        .await;
    let log = place.log(config());
    let stream = log.open("key").await.unwrap();
    events.extend(mixed(150));
    stream.append(Batch::new(mixed(150))).await.unwrap();
    let expected: Vec<_> = (1..).zip(&events).map(|(seq, event)| frame(seq, event)).collect();
    assert_eq!(Reader::attach(&stream, Cursor::Oldest).await.until(300).await, expected);
    assert_eq!(place.number("select count(*) from agent_webkit_events").await, 300);
}

on_both!(
    events_that_are_alike_share_a_row_and_can_be_looked_at_one_by_one,
    a_look_at_one_stream_does_not_go_through_the_others,
    a_replay_may_begin_in_the_middle_of_a_row,
    a_write_that_is_refused_stores_none_of_its_rows,
    of_many_rows_in_a_group_those_are_stored_whose_stream_is_ours,
    what_an_earlier_version_stored_is_read_and_goes_on,
);
