//! The database with the sessions of a test.
#![allow(dead_code, reason = "every test crate uses another part of it")]

use sqlx::Connection;

use crate::support::{Builder, Server, deaf::Deaf, nats::Nats, postgres::TestDatabase};

/// A lease that is short enough for a test to wait for.
const LEASE: &str = "2s";

/// A database of this test, deleted on drop.
pub(crate) enum Place {
    Sqlite,
    Postgres(TestDatabase),
    /// Hosts hear of each other by NATS.
    Nats(TestDatabase, Nats),
    /// Hosts hear nothing of each other.
    Deaf(TestDatabase, Deaf),
}

impl Place {
    pub(crate) async fn postgres() -> Self {
        Self::Postgres(TestDatabase::new().await)
    }

    /// `None` where NATS is not installed.
    pub(crate) async fn nats() -> Option<Self> {
        let nats = Nats::start()?;
        Some(Self::Nats(TestDatabase::new().await, nats))
    }

    pub(crate) async fn deaf() -> Self {
        let database = TestDatabase::new().await;
        let way = Deaf::to(database.url()).await;
        Self::Deaf(database, way)
    }

    /// The database on Postgres.
    pub(crate) fn database(&self) -> &TestDatabase {
        match self {
            Self::Sqlite => panic!("it is for Postgres"),
            Self::Postgres(database) | Self::Nats(database, _) | Self::Deaf(database, _) => database,
        }
    }

    /// Executes a statement on Postgres, past the servers.
    pub(crate) async fn execute(&self, sql: &'static str) {
        let database = self.database();
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
            Self::Postgres(database) | Self::Nats(database, _) => database.url().to_owned(),
            Self::Deaf(_, way) => way.url().to_owned(),
        };
        let server = match self {
            Self::Nats(_, nats) => server.option("--bus", nats.url()),
            _ => server,
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

/// Runs tests on Postgres with hosts that hear of each other by its notifications, by NATS, and not at all.
macro_rules! with_each_messenger {
    ($($name:ident),+ $(,)?) => {
        mod by_notifications {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::place::Place::postgres().await).await;
            })+
        }
        mod by_nats {
            $(#[tokio::test]
            async fn $name() {
                if let Some(place) = crate::place::Place::nats().await {
                    super::$name(place).await;
                }
            })+
        }
        mod by_polls {
            // The proxy must go on while the end of a server is waited for.
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::place::Place::deaf().await).await;
            })+
        }
    };
}
pub(crate) use with_each_messenger;
