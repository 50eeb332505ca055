//! The database with the sessions of a test.
#![allow(dead_code, reason = "every test crate uses another part of it")]

use sqlx::Connection;

use crate::support::{Builder, Server, postgres::TestDatabase};

/// A lease that is short enough for a test to wait for.
const LEASE: &str = "2s";

/// A database of this test, deleted on drop.
pub(crate) enum Place {
    Sqlite,
    Postgres(TestDatabase),
}

impl Place {
    pub(crate) async fn postgres() -> Self {
        Self::Postgres(TestDatabase::new().await)
    }

    /// Executes a statement on Postgres, past the servers.
    pub(crate) async fn execute(&self, sql: &'static str) {
        let Self::Postgres(database) = self else { panic!("it is for Postgres") };
        let mut connection = sqlx::PgConnection::connect(database.url()).await.expect("the test's database");
        sqlx::raw_sql(sql).execute(&mut connection).await.expect("a statement");
    }

    /// Starts two hosts with the same workspace.
    pub(crate) async fn two_servers(&self) -> [Server; 2] {
        let server = self.server();
        [server.clone().start().await, server.start().await]
    }

    /// A server with its sessions in this database. Clones of it are further hosts with the same workspace.
    pub(crate) fn server(&self) -> Builder {
        let server = Server::builder();
        let store = match self {
            Self::Sqlite => format!("sqlite:{}", server.dir("home").join("sessions.db").display()),
            Self::Postgres(database) => database.url().to_owned(),
        };
        server.option("--store", store).env("AGENT_WEBKIT_LEASE", LEASE)
    }
}

/// Runs tests on both databases.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::place::Place::Sqlite).await;
            })+
        }
        mod on_postgres {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::place::Place::postgres().await).await;
            })+
        }
    };
}
pub(crate) use on_both;
