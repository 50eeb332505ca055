//! A SQLite file: one writer, several readers, one process.

use std::{fs::File, path::Path, sync::Arc, time::Duration};

use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{Database, OpenError, migrations};

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
    /// # Errors
    /// The file cannot be made or written, is no SQLite database, is damaged, or is in use.
    pub async fn sqlite(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let lock = Arc::new(lock(path)?);
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
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
        migrations::sqlite().run(&writer).await.map_err(|error| unusable(error.into()))?;
        let readers = SqlitePoolOptions::new()
            .max_connections(4)
            .connect_with(options.read_only(true).create_if_missing(false))
            .await
            .map_err(unusable)?;
        Ok(Self::Sqlite(Sqlite { writer, readers, _lock: lock }))
    }
}

fn lock(path: &Path) -> Result<File, OpenError> {
    let said = |error: std::io::Error| {
        OpenError::new(format!("the SQLite file {} cannot be opened", path.display()), error.into())
    };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(said)?;
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = File::options().create(true).truncate(false).write(true).open(&name).map_err(said)?;
    file.try_lock().map_err(|_| OpenError {
        sentence: format!("the SQLite file {} is in use by another server", path.display()),
        source: None,
    })?;
    Ok(file)
}
