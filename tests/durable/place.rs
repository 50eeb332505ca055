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

    /// Two hosts that run, with the same workspace.
    pub(crate) async fn two_servers(&self) -> [Server; 2] {
        let server = self.server();
        [server.clone().start().await, server.start().await]
    }

    /// A server that keeps its sessions there. Clones of it are further hosts, with the same workspace.
    pub(crate) fn server(&self) -> Builder {
        let server = Server::builder();
        match self {
            Self::Sqlite => {
                let path = server.dir("home").join("sessions.db");
                server.option("--store", format!("sqlite:{}", path.display()))
            }
            Self::Postgres(database) => {
                server.option("--store", database.url()).env("AGENT_WEBKIT_LEASE", LEASE)
            }
        }
    }
}
