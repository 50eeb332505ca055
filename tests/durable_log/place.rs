//! A database for a test, with access past the event log.

use std::path::PathBuf;

use agent_webkit::storage::{
    database::Database,
    events::{DurableConfig, DurableLog},
};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;

use crate::postgres::TestDatabase;

pub(crate) struct Place {
    pub(crate) database: Database,
    kind: Kind,
}

enum Kind {
    Sqlite(TempDir),
    Postgres(TestDatabase),
}

impl Place {
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::sqlite(path(&folder)).await.unwrap();
        Self { database, kind: Kind::Sqlite(folder) }
    }

    pub(crate) async fn postgres() -> Self {
        Self::on(TestDatabase::new().await).await
    }

    pub(crate) async fn on(database: TestDatabase) -> Self {
        Self {
            database: Database::postgres(database.url(), 0, 5).await.unwrap(),
            kind: Kind::Postgres(database),
        }
    }

    /// Changes the tables past the event log.
    pub(crate) async fn execute(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        match &self.kind {
            Kind::Sqlite(folder) => {
                let url = format!("sqlite:{}", path(folder).display());
                let mut connection = SqliteConnection::connect(&url).await.unwrap();
                sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
            }
            Kind::Postgres(server) => {
                let mut connection = PgConnection::connect(server.url()).await.unwrap();
                sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
            }
        }
    }

    /// Changes the tables past the log, and opens the database once more.
    pub(crate) async fn reopened_after(mut self, sql: &str) -> Self {
        self.execute(sql).await;
        self.database = match &self.kind {
            Kind::Sqlite(folder) => Database::sqlite(path(folder)).await.unwrap(),
            Kind::Postgres(server) => Database::postgres(server.url(), 0, 5).await.unwrap(),
        };
        self
    }

    /// Opens a further event log, as another process would.
    pub(crate) fn log(&self, config: DurableConfig) -> DurableLog {
        DurableLog::new(self.database.clone(), config)
    }

    /// Returns the first column of a query, over a separate connection.
    pub(crate) async fn numbers(&self, sql: &str) -> Vec<i64> {
        let sql = AssertSqlSafe(sql.to_owned());
        match &self.kind {
            Kind::Sqlite(folder) => {
                let url = format!("sqlite:{}", path(folder).display());
                let mut connection = SqliteConnection::connect(&url).await.unwrap();
                sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap()
            }
            Kind::Postgres(database) => {
                let mut connection = PgConnection::connect(database.url()).await.unwrap();
                sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap()
            }
        }
    }

    pub(crate) async fn number(&self, sql: &str) -> i64 {
        self.numbers(sql).await[0]
    }
}

fn path(folder: &TempDir) -> PathBuf {
    folder.path().join("sessions.db")
}

/// Runs tests on both databases.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::place::Place::sqlite().await).await;
            })+
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::place::Place::postgres().await).await;
            })+
        }
    };
}
pub(crate) use on_both;
