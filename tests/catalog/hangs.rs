//! Connections to the server that hang: nothing comes and nothing breaks.

use std::time::Duration;

use agent_webkit::storage::{
    Storage, StorageConfig,
    catalog::{Acquired, Catalog, CatalogError, DbCatalog, Lease},
    database::Database,
    transcripts::{Entry, PgTranscripts, StoreError, TranscriptKey, TranscriptStore},
};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::time::{Instant, timeout};

use super::{LONG, metadata, postgres::TestDatabase, record, way::Way};

/// Far above the time limit of a call, far below a lost connection's in TCP.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_call_on_a_connection_that_hangs_fails_in_time_and_the_next_has_another() {
    let database = TestDatabase::new().await;
    let way = Way::to(database.url()).await;
    // One connection, so that none can be spared.
    let catalog = DbCatalog::new(Database::postgres(&way.url, 0, 1).await.unwrap(), LONG);
    let session = record(Some("ada"));
    let lease = catalog.create(&session).await.unwrap();
    // Once between two calls, and once in the middle of one.
    way.hang();
    let saved = timeout(PATIENCE, catalog.save(&lease, &metadata("running"))).await.expect("a limit");
    assert!(matches!(saved, Err(CatalogError::Unavailable(_))), "{saved:?}");
    saves_again(&catalog, &lease).await;

    let lock = Lock::on(&database).await;
    let saving = tokio::spawn({
        let (catalog, lease) = (catalog.clone(), lease.clone());
        async move { catalog.save(&lease, &metadata("running")).await }
    });
    let lock = lock.somebody_waits().await;
    way.hang();
    lock.release().await;
    let saved = timeout(PATIENCE, saving).await.expect("a limit").unwrap();
    assert!(matches!(saved, Err(CatalogError::Unavailable(_))), "{saved:?}");
    saves_again(&catalog, &lease).await;
    assert_eq!(catalog.find(&session.id).await.unwrap().unwrap().metadata.status, "running");
}

#[tokio::test]
async fn transcripts_on_a_connection_that_hangs_fail_in_time_and_the_next_call_has_another() {
    let database = TestDatabase::new().await;
    let way = Way::to(database.url()).await;
    let transcripts = PgTranscripts::connect(&way.url, 0, 1).await.unwrap();
    let key = TranscriptKey::main("-w", "session");
    let entry: Entry = r#"{"type":"user","uuid":"0"}"#.parse().unwrap();
    transcripts.append(&key, std::slice::from_ref(&entry)).await.unwrap();

    way.hang();
    let found = timeout(PATIENCE, transcripts.find("session")).await.expect("a limit");
    assert!(matches!(found, Err(StoreError::Unavailable(_))), "{found:?}");
    let deadline = Instant::now() + PATIENCE;
    while transcripts.find("session").await.is_err() {
        assert!(Instant::now() < deadline, "the connection that hangs is held for good");
    }

    way.hang();
    let second: Entry = r#"{"type":"user","uuid":"1"}"#.parse().unwrap();
    let appended = transcripts.append(&key, std::slice::from_ref(&second));
    let appended = timeout(2 * PATIENCE, appended).await.expect("a limit");
    assert!(matches!(appended, Err(StoreError::Unavailable(_))), "{appended:?}");
    while transcripts.append(&key, std::slice::from_ref(&second)).await.is_err() {
        assert!(Instant::now() < deadline + 2 * PATIENCE, "the connection that hangs is held for good");
    }
    assert_eq!(transcripts.load(&key).await.unwrap().unwrap().len(), 2, "each once");
}

/// A host that is frozen in a transaction holds the locks of its rows, and says nothing more.
#[tokio::test]
async fn a_host_that_is_frozen_in_a_transaction_does_not_keep_its_sessions() {
    let database = TestDatabase::new().await;
    let way = Way::to(database.url()).await;
    let config = StorageConfig::default().lease(Duration::from_secs(1));
    let frozen = Storage::new(Database::postgres(&way.url, 0, 3).await.unwrap(), config);
    let session = record(Some("ada"));
    frozen.persistence().catalog.create(&session).await.unwrap();

    let lock = Lock::of(&database, "session_entries").await;
    let (transcripts, key) = (frozen.transcripts().clone(), TranscriptKey::main("-w", session.id.as_str()));
    tokio::spawn(async move {
        let entry: Entry = r#"{"type":"user"}"#.parse().unwrap();
        transcripts.append(&key, &[entry]).await
    });
    let lock = lock.somebody_waits().await;
    way.hang();
    lock.release().await;

    let other = DbCatalog::new(Database::postgres(database.url(), 0, 3).await.unwrap(), LONG);
    let deadline = Instant::now() + PATIENCE;
    while !matches!(other.acquire(&session.id).await, Ok(Acquired::Leased(..))) {
        assert!(Instant::now() < deadline, "the frozen host keeps the session");
    }
}

/// The pool has not lost the connection that hung.
async fn saves_again(catalog: &DbCatalog, lease: &Lease) {
    let deadline = Instant::now() + PATIENCE;
    while catalog.save(lease, &metadata("running")).await.is_err() {
        assert!(Instant::now() < deadline, "the connection that hangs is held for good");
    }
}

/// A lock that keeps every call on a table waiting.
struct Lock(PgConnection, &'static str);

impl Lock {
    async fn on(database: &TestDatabase) -> Self {
        Self::of(database, "agent_webkit_sessions").await
    }

    async fn of(database: &TestDatabase, table: &'static str) -> Self {
        let mut connection = PgConnection::connect(database.url()).await.unwrap();
        let locks = format!("begin; lock table {table} in access exclusive mode");
        sqlx::raw_sql(AssertSqlSafe(locks)).execute(&mut connection).await.unwrap();
        Self(connection, table)
    }

    async fn somebody_waits(mut self) -> Self {
        let waiting = "select exists (select from pg_locks where not granted and relation = $1::regclass)";
        while !sqlx::query_scalar::<_, bool>(waiting).bind(self.1).fetch_one(&mut self.0).await.unwrap() {
            tokio::task::yield_now().await;
        }
        self
    }

    async fn release(mut self) {
        sqlx::raw_sql("rollback").execute(&mut self.0).await.unwrap();
    }
}
