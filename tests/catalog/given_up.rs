//! Calls that are given up halfway, as when a time limit ends: what later calls store on the same connection is stored.

use std::{
    future::Future,
    pin::pin,
    task::{Context, Waker},
    time::Duration,
};

use agent_webkit::storage::{
    Storage, StorageConfig,
    catalog::{Catalog, DbCatalog},
    database::Database,
    transcripts::{Entry, TranscriptKey},
};

use super::{LONG, metadata, postgres::TestDatabase, record};

#[tokio::test]
async fn a_transaction_that_is_given_up_at_any_point_takes_nothing_with_it() {
    let database = TestDatabase::new().await;
    // One connection, so that all calls share it.
    let storage = Storage::new(
        Database::postgres(database.url(), 0, 1).await.unwrap(),
        StorageConfig::default().lease(Duration::from_secs(60)),
    );
    let other = DbCatalog::new(Database::postgres(database.url(), 0, 1).await.unwrap(), LONG);
    let catalog = storage.persistence().catalog;
    let session = record(Some("ada"));
    let lease = catalog.create(&session).await.unwrap();
    let key = TranscriptKey::main("-w", session.id.as_str());

    for round in 0..80 {
        let entry: Entry = format!(r#"{{"type":"user","uuid":"{round}"}}"#).parse().unwrap();
        // It has about as many steps, depending on how fast the answers come.
        polled(storage.transcripts().append(&key, &[entry]), 1 + round % 8).await;
        let status = format!("after {round}");
        catalog.save(&lease, &metadata(&status)).await.unwrap();
        let seen = other.find(&session.id).await.unwrap().unwrap().metadata.status;
        assert_eq!(seen, status, "polled {} times", 1 + round % 8);
    }
}

/// Polls a future at most this often, each time when it can go on, and drops it.
async fn polled(future: impl Future, times: usize) {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..times {
        if future.as_mut().poll(&mut context).is_ready() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
