//! A SQLite file: in each process that uses it one connection that writes and several that read.

use std::{path::Path, sync::Arc, time::Duration};

use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{Database, OpenError, migrations, sqlite_file, sqlite_hosts::Hosts};

/// So long a statement waits for the other processes that write.
const BUSY: Duration = Duration::from_secs(5);

/// An open file. For the other processes that use it this one is alive as long as a clone of this lives.
#[derive(Clone, Debug)]
pub struct Sqlite {
    /// The one connection that writes.
    pub(crate) writer: SqlitePool,
    /// Connections that read.
    pub(crate) readers: SqlitePool,
    /// This process and the others.
    pub(crate) hosts: Arc<Hosts>,
}

impl Sqlite {
    /// The connection that writes is the last one: it brings what is in the log into the file.
    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

impl Database {
    /// Opens the file at `path`, made when it is not there, with the folders above it, for the user alone;
    /// brings its tables up to date. Several processes of one machine may share it.
    ///
    /// The file is looked through first, which takes about a second for each gigabyte; one that is damaged,
    /// or that is another program's, is left as it is.
    ///
    /// # Errors
    /// The file cannot be made or written, is no SQLite database, is damaged, or was made by a newer version
    /// of this program.
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
        // A file does not go away: to ask whether a connection still works would be one more way to its thread.
        let pool = SqlitePoolOptions::new().test_before_acquire(false);
        let writer = pool.clone().max_connections(1).connect_with(options.clone()).await.map_err(unusable)?;
        migrations::sqlite().run(&writer).await.map_err(|error| {
            OpenError::new(format!("the tables in the SQLite file {} cannot be used", path.display()), error)
        })?;
        let readers =
            pool.max_connections(4).connect_with(options.read_only(true)).await.map_err(unusable)?;
        let hosts = Arc::new(Hosts::join(path)?);
        Ok(Self::Sqlite(Sqlite { writer, readers, hosts }))
    }
}
