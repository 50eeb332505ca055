//! Outages of the Postgres server.

use std::time::Duration;

use agent_webkit::storage::transcripts::{PgTranscripts, StoreError, TranscriptStore};
use serde_json::json;
use sqlx::postgres::PgPoolOptions;

use crate::{
    postgres::Cluster,
    rig::{Rig, key, typed},
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

on_both! {
    what_a_missing_table_refuses_is_kept_and_stored_once_it_is_there,
    a_summary_that_cannot_be_read_is_made_again_from_the_entries,
    an_entry_that_cannot_be_read_is_the_stores_fault,
}

async fn what_a_missing_table_refuses_is_kept_and_stored_once_it_is_there(rig: &Rig) {
    for table in ["session_entries", "session_summaries"] {
        rig.execute(&format!("alter table {table} rename to mislaid")).await;
        let failed = rig.store.append(&key(), &typed([json!({"uuid": table})])).await;
        assert!(matches!(failed, Err(StoreError::Unavailable(_))), "{failed:?}");
        rig.execute(&format!("alter table mislaid rename to {table}")).await;
        rig.append(&key(), [json!({"uuid": table})]).await;
    }
    assert_eq!(rig.load(&key()).await.unwrap().len(), 2);
}

async fn a_summary_that_cannot_be_read_is_made_again_from_the_entries(rig: &Rig) {
    let says = |text| json!({"type": "user", "message": {"content": text}});
    rig.append(&key(), [says("first")]).await;
    rig.execute("update session_summaries set data = '[1]'").await;
    rig.append(&key(), [says("second")]).await;
    let summaries = rig.store.list_session_summaries(&key().project_key).await.unwrap();
    assert_eq!(summaries[0].data["first_prompt"], "first");
    assert_eq!(rig.load(&key()).await.unwrap().len(), 2);
}

async fn an_entry_that_cannot_be_read_is_the_stores_fault(rig: &Rig) {
    rig.append(&key(), [json!({"uuid": "a"})]).await;
    rig.execute("update session_entries set entry = '[1]'").await;
    let failed = rig.store.load(&key()).await;
    assert!(matches!(failed, Err(StoreError::Unavailable(_))), "{failed:?}");
}

#[tokio::test]
async fn what_a_revoked_right_refuses_is_kept_and_stored_once_it_is_granted() {
    let rig = Rig::postgres().await;
    // A test's user is a superuser, from whom no right can be taken: this refuses as the server would.
    rig.execute(
        "create function refuse() returns trigger language plpgsql as
             $$ begin raise insufficient_privilege; end $$;
         create trigger revoked before insert on session_entries for each row execute function refuse()",
    )
    .await;
    let failed = rig.store.append(&key(), &typed([json!({"uuid": "a"})])).await;
    assert!(matches!(failed, Err(StoreError::Unavailable(_))), "{failed:?}");
    rig.execute("drop trigger revoked on session_entries").await;
    rig.append(&key(), [json!({"uuid": "a"})]).await;
}
