//! The session catalog on SQLite and on Postgres: its rows, and which host may run a session.
#![cfg(all(feature = "sqlite", feature = "postgres"))]

#[path = "../support/ports.rs"]
mod ports;
#[path = "../support/postgres.rs"]
mod postgres;
#[path = "../support/way.rs"]
mod way;

mod given_up;
mod hangs;
mod leases;
mod rows;
mod tickets;

use std::time::Duration;

use agent_webkit::storage::{
    catalog::{DbCatalog, SessionMetadata, SessionRecord},
    database::Database,
};
use postgres::TestDatabase;
use sqlx::Connection;
use tempfile::TempDir;
use uuid::Uuid;

/// A lease that is longer than any test.
const LONG: Duration = Duration::from_secs(60);

/// A database of this test, deleted on drop.
enum Place {
    Sqlite(TempDir),
    Postgres(TestDatabase),
}

impl Place {
    fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    async fn postgres() -> Self {
        Self::Postgres(TestDatabase::new().await)
    }

    /// Executes a statement on the database, past the catalog.
    async fn execute(&self, sql: &'static str) {
        match self {
            Self::Sqlite(folder) => {
                let url = format!("sqlite:{}", folder.path().join("sessions.db").display());
                let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
                sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
            }
            Self::Postgres(database) => {
                let mut connection = sqlx::PgConnection::connect(database.url()).await.unwrap();
                sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
            }
        }
    }

    /// Opens the catalog as a further host.
    async fn host(&self, lease: Duration) -> DbCatalog {
        let database = match self {
            Self::Sqlite(folder) => Database::sqlite(folder.path().join("sessions.db")).await,
            Self::Postgres(database) => Database::postgres(database.url(), 0, 4).await,
        };
        DbCatalog::new(database.unwrap(), lease)
    }
}

fn record(owner: Option<&str>) -> SessionRecord {
    SessionRecord {
        id: Uuid::new_v4().to_string(),
        owner: owner.map(str::to_owned),
        cwd: "/work".into(),
        profile: Some("re\0view".into()),
        metadata: metadata("idle"),
        created_at_ms: 1_700_000_000_000,
        active_at_ms: 0,
        stream: None,
        elsewhere: false,
    }
}

fn metadata(status: &str) -> SessionMetadata {
    SessionMetadata {
        model: Some("opus".into()),
        permission_mode: None,
        title: None,
        status: status.into(),
        wakes_at_ms: Some(7),
    }
}
