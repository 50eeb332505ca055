//! Only the host that holds the session's lease can write its transcript.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use agent_webkit::storage::{
    database::Database,
    transcripts::{Fenced, SqliteTranscripts, StoreError, TranscriptStore},
};
use serde_json::json;
use sqlx::{Connection, PgConnection};

use crate::rig::{Rig, key, typed};

on_every_store!(an_append_needs_the_epoch_of_the_session, a_take_over_during_an_append_comes_after_it,);

async fn lease(rig: &Rig, epoch: i64) {
    rig.execute(&format!(
        "insert into agent_webkit_sessions (id, cwd, status, created_at_ms, active_at_ms, epoch)
         values ('sess', '/', 'idle', 0, 0, {epoch}) on conflict (id) do update set epoch = {epoch}"
    ))
    .await;
}

async fn an_append_needs_the_epoch_of_the_session(rig: &Rig) {
    let Some(store) = rig.fenced() else { return };
    let entries = typed([json!({"n": 1})]);
    let no_row = store.append_fenced(&key(), &entries, 1).await;
    assert!(matches!(no_row, Err(StoreError::Fenced)), "{no_row:?}");

    lease(rig, 1).await;
    store.append_fenced(&key(), &entries, 1).await.unwrap();
    store.append_fenced(&key().with_subpath("subagents/agent-1"), &entries, 1).await.unwrap();

    lease(rig, 2).await;
    let summaries = rig.store.list_session_summaries("proj").await.unwrap();
    for late in [key(), key().with_subpath("subagents/agent-1")] {
        let fenced = store.append_fenced(&late, &typed([json!({"customTitle": "late"})]), 1).await;
        assert!(matches!(fenced, Err(StoreError::Fenced)), "{fenced:?}");
        assert_eq!(rig.load(&late).await.unwrap(), [json!({"n": 1})]);
    }
    assert_eq!(rig.store.list_session_summaries("proj").await.unwrap(), summaries);
    store.append_fenced(&key(), &entries, 2).await.unwrap();
    assert_eq!(rig.load(&key()).await.unwrap().len(), 2);
}

/// In any order, the host that has taken over finds all acknowledged entries.
async fn a_take_over_during_an_append_comes_after_it(rig: &Rig) {
    let Some(store) = rig.fenced() else { return };
    lease(rig, 1).await;
    let writer = tokio::spawn(async move {
        let mut acknowledged = 0;
        while store.append_fenced(&key(), &typed([json!({"n": acknowledged})]), 1).await.is_ok() {
            acknowledged += 1;
        }
        acknowledged
    });
    while rig.load(&key()).await.is_none_or(|entries| entries.len() < 3) {
        tokio::task::yield_now().await;
    }
    lease(rig, 2).await;
    let found = rig.load(&key()).await.unwrap().len();
    assert_eq!(writer.await.unwrap(), found);
    assert_eq!(rig.load(&key()).await.unwrap().len(), found);
}

#[tokio::test]
async fn a_host_appends_with_the_epoch_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let Database::Sqlite(file) = Database::sqlite(folder.path().join("a.db")).await.unwrap() else {
        unreachable!("it is a SQLite file")
    };
    let holds = Arc::new(AtomicI64::new(0));
    let held = Arc::clone(&holds);
    let store = Fenced::new(SqliteTranscripts::new(file), move |session: &str| {
        let epoch = held.load(Ordering::SeqCst);
        (session == "sess" && epoch > 0).then_some(epoch)
    });
    let entries = typed([json!({"n": 1})]);
    // First without a lease, then with one that is not in the catalog.
    assert!(matches!(store.append(&key(), &entries).await, Err(StoreError::Fenced)));
    holds.store(1, Ordering::SeqCst);
    assert!(matches!(store.append(&key(), &entries).await, Err(StoreError::Fenced)));
    assert!(store.load(&key()).await.unwrap().is_none());
    assert!(store.list_sessions("proj").await.unwrap().is_empty());
}

/// The append has checked its epoch and waits for another writer of the same uuid. No host can take over the
/// session before the append is stored.
#[tokio::test]
async fn nobody_takes_over_between_the_check_and_the_write() {
    let rig = Rig::postgres().await;
    let url = rig.url();
    lease(&rig, 1).await;
    let mut writer = PgConnection::connect(url).await.unwrap();
    let held = "begin; insert into session_entries (project_key, session_id, uuid, entry, inserted_at_ms)
                values ('proj', 'sess', 'a', '{}', 0)";
    sqlx::raw_sql(held).execute(&mut writer).await.unwrap();

    let store = rig.fenced().unwrap();
    let append =
        tokio::spawn(async move { store.append_fenced(&key(), &typed([json!({"uuid": "a"})]), 1).await });
    let mut other = PgConnection::connect(url).await.unwrap();
    let waiting = "select count(*) from pg_stat_activity
                   where datname = current_database() and wait_event_type = 'Lock' and query like '%unnest%'";
    while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut other).await.unwrap() == 0 {
        tokio::task::yield_now().await;
    }
    let take_over = "set lock_timeout = '200ms'; update agent_webkit_sessions set epoch = 2";
    let refused = sqlx::raw_sql(take_over).execute(&mut other).await.unwrap_err();
    assert_eq!(refused.as_database_error().unwrap().code().unwrap(), "55P03");

    sqlx::raw_sql("rollback").execute(&mut writer).await.unwrap();
    append.await.unwrap().unwrap();
    sqlx::raw_sql("update agent_webkit_sessions set epoch = 2").execute(&mut other).await.unwrap();
}
