//! Outages of the Postgres server.

use std::time::Duration;

use agent_webkit::storage::transcripts::{PgTranscripts, StoreError, TranscriptStore};
use serde_json::json;
use sqlx::postgres::PgPoolOptions;

use crate::{
    postgres::Cluster,
    rig::{key, typed},
};

#[tokio::test]
async fn what_failed_in_an_outage_is_stored_once_when_it_is_repeated() {
    let mut cluster = Cluster::start();
    let database = cluster.database().await;
    // A pool with a short timeout, because no connection will come.
    let pool = PgPoolOptions::new().acquire_timeout(Duration::from_millis(500));
    let store = PgTranscripts::from_pool(pool.connect_lazy(database.url()).unwrap()).await.unwrap();
    let (before, during) = (typed([json!({"uuid": "a"})]), typed([json!({"uuid": "b"})]));
    store.append(&key(), &before).await.unwrap();

    cluster.stop();
    for _ in 0..2 {
        let failed = store.append(&key(), &during).await;
        assert!(matches!(failed, Err(StoreError::Unavailable(_))), "{failed:?}");
        let failed = store.load(&key()).await;
        assert!(matches!(failed, Err(StoreError::Unavailable(_))), "{failed:?}");
    }

    cluster.start_again();
    for again in [&during, &before, &during] {
        store.append(&key(), again).await.unwrap();
    }
    assert_eq!(store.load(&key()).await.unwrap().unwrap().len(), 2);
}
