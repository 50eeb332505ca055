//! `tower-mcp`'s own suites of what its stores promise, over a log in memory.
#![cfg(feature = "tower-mcp")]

use std::time::Duration;

use agent_webkit_layers::{
    mcp::McpLog,
    resume::{RingConfig, RingLog},
};
use tower_mcp::{
    event_store::{EventRecord, EventStore},
    session_store::{SessionRecord, SessionStore},
    testing::store_contracts::{event_store_contract, session_store_contract},
};

fn log() -> McpLog<RingLog> {
    McpLog::new(RingLog::default())
}

#[tokio::test]
async fn the_event_store_keeps_its_contract() {
    event_store_contract(log).await;
}

#[tokio::test]
async fn the_session_store_keeps_its_contract() {
    session_store_contract(log).await;
}

#[tokio::test]
async fn servers_on_one_log_read_what_the_others_stored() {
    let ring = RingLog::new(RingConfig::default().window_events(3));
    let [one, two] = [0, 1].map(|_| McpLog::new(ring.clone()));
    for id in 0..5 {
        let server = if id % 2 == 0 { &one } else { &two };
        server.append("6b0d", EventRecord::new(id, format!("{id}\n"))).await.unwrap();
    }
    let read = two.replay_after("6b0d", 0).await.unwrap();
    let read: Vec<_> = read.iter().map(|record| (record.id, &*record.data)).collect();
    // The log holds three events.
    assert_eq!(read, [(2, "2\n"), (3, "3\n"), (4, "4\n")]);

    let mut record = SessionRecord::new("6b0d", "2025-11-25", Duration::from_secs(60));
    one.create(&mut record).await.unwrap();
    assert_eq!(two.load("6b0d").await.unwrap().unwrap().protocol_version, "2025-11-25");
    two.create(&mut record).await.unwrap();
    assert_ne!(record.id, "6b0d");
    assert_eq!(one.load(&record.id).await.unwrap().unwrap().id, record.id);
}
