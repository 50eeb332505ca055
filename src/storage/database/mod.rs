//! The database behind the session catalog, the event log and the transcript store: its location, how it is
//! opened, and its migrations.
//!
//! ```
//! # #[cfg(feature = "sqlite")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use agent_webkit::storage::database::{Database, Location};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("sessions.db");
//! let location: Location = format!("sqlite:{}", path.display()).parse()?;
//! let database = Database::open(&location).await?;
//! assert!(database.is_some());
//!
//! // What is no database is left as it is.
//! std::fs::write(folder.path().join("notes.txt"), "milk, bread")?;
//! let error = Database::sqlite(folder.path().join("notes.txt")).await.unwrap_err();
//! assert!(error.to_string().ends_with("is not a SQLite database; it is left as it is"));
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "sqlite"))]
//! # fn main() {}
//! ```

mod dialect;
mod error;
mod fault;
mod health;
mod location;
mod migrations;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "postgres")]
mod postgres_transaction;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(feature = "sqlite")]
mod sqlite_file;
#[cfg(feature = "sqlite")]
mod sqlite_hosts;

pub(in crate::storage) use self::dialect::millis;
pub use self::error::OpenError;
pub use self::fault::is_fault_of_row;
pub(crate) use self::health::{Call, CallError, Component, Health};
pub use self::location::{InvalidLocation, Location};
#[cfg(feature = "postgres")]
pub(crate) use self::postgres::Link;
#[cfg(feature = "postgres")]
pub use self::postgres::Postgres;
#[cfg(feature = "postgres")]
pub(crate) use self::postgres_transaction::Transaction;
#[cfg(feature = "sqlite")]
pub use self::sqlite::Sqlite;

use std::sync::Arc;

/// An open database whose tables are up to date. Clones share their connections.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Database {
    /// A SQLite file on this machine, which several processes may share.
    #[cfg(feature = "sqlite")]
    Sqlite(Sqlite),
    /// A Postgres server, which several hosts may share.
    #[cfg(feature = "postgres")]
    Postgres(Postgres),
}

/// Maximum number of connections to a Postgres server.
#[cfg(feature = "postgres")]
const MAX_CONNECTIONS: u32 = 10;

/// Time between two looks at the lock of a host that seems to be dead.
#[cfg(feature = "postgres")]
const SECOND_LOOK: std::time::Duration = std::time::Duration::from_millis(400);

impl Database {
    /// Opens the database at `location`; returns `None` for [`Location::Memory`].
    ///
    /// # Errors
    /// The database cannot be opened, or this build has no driver for it.
    pub async fn open(location: &Location) -> Result<Option<Self>, OpenError> {
        match location {
            Location::Memory => Ok(None),
            #[cfg(feature = "sqlite")]
            Location::Sqlite(path) => Self::sqlite(path).await.map(Some),
            #[cfg(feature = "postgres")]
            Location::Postgres(url) => Self::postgres(url, 0, MAX_CONNECTIONS).await.map(Some),
            #[cfg(not(all(feature = "sqlite", feature = "postgres")))]
            other => Err(OpenError::sentence(format!("this build cannot use {other:?}"))),
        }
    }

    /// A unique name for this process among those that share the database.
    pub(crate) fn host(&self) -> String {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(file) => file.hosts.id().to_owned(),
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => uuid::Uuid::new_v4().to_string(),
        }
    }

    /// Whether the process of this name has certainly ended, as far as that is known without a call. On Postgres it is
    /// not.
    #[cfg_attr(not(feature = "sqlite"), allow(unused_variables, reason = "only SQLite knows dead hosts"))]
    pub(crate) fn knows_dead(&self, host: &str) -> bool {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(file) => file.hosts.is_dead(host),
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => false,
        }
    }

    /// Whether the process of this name has certainly ended.
    pub(crate) async fn finds_dead(&self, host: &str) -> sqlx::Result<bool> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(file) => Ok(file.hosts.is_dead(host)),
            #[cfg(feature = "postgres")]
            Self::Postgres(server) => {
                let call = || server.health.call(Component::Catalog.reads(), server.knows_dead(host));
                if !call().await? {
                    return Ok(false);
                }
                // A host whose connection broke has a moment to open another.
                tokio::time::sleep(SECOND_LOOK).await;
                call().await
            }
        }
    }

    /// Whether a connection to it can hold a lock and hear notifications.
    pub(crate) const fn has_own_connections(&self) -> bool {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => false,
            #[cfg(feature = "postgres")]
            Self::Postgres(server) => !server.is_pooled(),
        }
    }

    /// What does not work of it.
    pub(crate) fn health(&self) -> &Arc<Health> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(file) => &file.health,
            #[cfg(feature = "postgres")]
            Self::Postgres(server) => &server.health,
        }
    }

    /// Closes a SQLite file; later reads and writes fail. A Postgres pool stays open, because it may belong
    /// to the application.
    pub(crate) async fn close(&self) {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(file) => file.close().await,
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => {}
        }
    }
}
