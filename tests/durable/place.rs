//! Where the sessions of a test are kept.

use crate::support::{Builder, Server, postgres::TestDatabase};

/// A lease that a test has the patience for.
const LEASE: &str = "2s";

/// A store of the test's own, as long as this lives.
pub(crate) enum Place {
    Sqlite,
    Postgres(TestDatabase),
}

impl Place {
    pub(crate) async fn postgres() -> Self {
        Self::Postgres(TestDatabase::new().await)
    }

    /// A server that keeps its sessions there.
    pub(crate) fn server(&self) -> Builder {
        let server = Server::builder();
        match self {
            Self::Sqlite => {
                let path = server.dir("home").join("sessions.db");
                server.option("--store", format!("sqlite:{}", path.display()))
            }
            Self::Postgres(database) => server.option("--store", database.url()).option("--lease", LEASE),
        }
    }
}
