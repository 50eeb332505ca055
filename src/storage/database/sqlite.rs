//! Opens a SQLite file. Each process has one connection that writes and several that read.

use std::{path::Path, sync::Arc, time::Duration};

use sqlx::{
    Connection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{Database, Health, OpenError, migrations, sqlite_file, sqlite_hosts::Hosts};

/// Maximum time for a statement to wait while other processes write.
const BUSY: Duration = Duration::from_secs(5);

/// An open SQLite file. Other processes see this process as alive until the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Sqlite {
    /// The one connection that writes.
    pub(crate) writer: SqlitePool,
    /// Connections that read.
    pub(crate) readers: SqlitePool,
    /// The processes that share the file.
    pub(crate) hosts: Arc<Hosts>,
    /// What does not work of it.
    pub(crate) health: Arc<Health>,
}

impl Sqlite {
    /// Closes the writer last: the last connection to close copies the write-ahead log into the file, which a
    /// reader cannot do.
    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

impl Database {
    /// Opens the SQLite file at `path` and migrates its tables. If the file or a folder above it does not
    /// exist, creates it for the current user alone. Several processes on one machine may share the file.
    ///
    /// The file is checked first, which takes about one second per gigabyte. A file that is damaged or
    /// belongs to another program is not changed.
    ///
    /// # Errors
    /// The file cannot be created or written, is not a SQLite database, is damaged, belongs to another
    /// program, or was created by a newer version of this program.
    pub async fn sqlite(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = path.as_ref();
        sqlite_file::look(path)?;
        let _opening = sqlite_file::alone(path).await?;
        let options = SqliteConnectOptions::new().filename(path).busy_timeout(BUSY);
        sqlite_file::check(path, &options).await?;
        let options = options
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let unusable =
            |error| OpenError::new(format!("the SQLite file {} cannot be used", path.display()), error);
        let health = Arc::new(Health::default());
        let pool = pool(&health);
        let writer = pool.clone().max_connections(1).connect_with(options.clone()).await.map_err(unusable)?;
        migrations::sqlite().run(&writer).await.map_err(|error| {
            OpenError::new(format!("the tables in the SQLite file {} cannot be used", path.display()), error)
        })?;
        let readers =
            pool.max_connections(4).connect_with(options.read_only(true)).await.map_err(unusable)?;
        let hosts = Arc::new(Hosts::join(path)?);
        Ok(Self::Sqlite(Sqlite { writer, readers, hosts, health }))
    }
}

/// Closes a connection in place of using it again if an error has spoilt it, or if `sqlx` counts a transaction
/// that is open: SQLite rolls back by itself when it runs out of disk or memory, and every later transaction on
/// the connection would fail.
fn pool(health: &Arc<Health>) -> SqlitePoolOptions {
    let health = Arc::clone(health);
    // A file does not disconnect; testing a connection would cost one more trip to its thread.
    SqlitePoolOptions::new().test_before_acquire(false).before_acquire(move |connection, metadata| {
        let usable = !connection.is_in_transaction() && !health.has_spoilt(metadata.age);
        Box::pin(async move { Ok(usable) })
    })
}
