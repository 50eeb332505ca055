//! A SQLite file: one writer, several readers, one process.

use std::{fs::File, path::Path, sync::Arc, time::Duration};

use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{Database, OpenError, migrations, sqlite_file};

/// An open file. It is locked as long as a clone of this lives.
#[derive(Clone, Debug)]
pub struct Sqlite {
    /// The one connection that writes.
    pub(crate) writer: SqlitePool,
    /// Connections that read.
    pub(crate) readers: SqlitePool,
    _lock: Arc<File>,
}

impl Database {
    /// Opens the file at `path`, made when it is not there, with the folders above it; brings its tables
    /// up to date. No other process can use it meanwhile.
    ///
    /// The file is looked through first, which takes about a second for each gigabyte; one that is damaged,
    /// or that is another program's, is left as it is.
    ///
    /// # Errors
    /// The file cannot be made or written, is no SQLite database, is damaged, is in use, or was made by a
    /// newer version of this program.
    pub async fn sqlite(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = path.as_ref();
        sqlite_file::look(path)?;
        let lock = Arc::new(sqlite_file::lock(path)?);
        let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
        sqlite_file::check(path, &options).await?;
        let options = options
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5))
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let unusable =
            |error| OpenError::new(format!("the SQLite file {} cannot be used", path.display()), error);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options.clone())
            .await
            .map_err(unusable)?;
        migrations::sqlite().run(&writer).await.map_err(|error| {
            OpenError::new(format!("the tables in the SQLite file {} cannot be used", path.display()), error)
        })?;
        let readers = SqlitePoolOptions::new()
            .max_connections(4)
            .connect_with(options.read_only(true).create_if_missing(false))
            .await
            .map_err(unusable)?;
        Ok(Self::Sqlite(Sqlite { writer, readers, _lock: lock }))
    }
}
