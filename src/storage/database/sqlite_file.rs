//! Checks a SQLite file before use: that it is a database, is undamaged, and belongs to this program.

use std::{
    ffi::OsString,
    fs::{DirBuilder, File, TryLockError},
    io::{self, ErrorKind, Read},
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{
    Connection,
    sqlite::{SqliteConnectOptions, SqliteConnection},
};
use tokio::time::Instant;

use super::{OpenError, migrations::APPLIED};

const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const HEADER: usize = 100;

/// Maximum time to wait for another process that is opening the same file.
const OPENING: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

/// Checks the file's header and size. The file may be missing.
pub(super) fn look(path: &Path) -> Result<(), OpenError> {
    let place = path.display();
    if path.is_dir() {
        return Err(OpenError::sentence(format!("{place} is a folder, not a SQLite file")));
    }
    // Also opened for writing, to reject a read-only file now.
    let file = match File::options().read(true).write(true).open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        file => file.map_err(|error| cannot_be_opened(path, error))?,
    };
    let size = file.metadata().map_err(|error| cannot_be_opened(path, error))?.len();
    if size == 0 {
        return Ok(());
    }
    let mut header = Vec::with_capacity(HEADER);
    file.take(HEADER as u64).read_to_end(&mut header).map_err(|error| cannot_be_opened(path, error))?;
    let magic = &header[..header.len().min(MAGIC.len())];
    if magic != MAGIC {
        return Err(OpenError::sentence(format!("{place} is not a SQLite database; it is left as it is")));
    }
    // A file with a journal beside it may be incomplete: SQLite recovers it.
    if !["-wal", "-journal"].iter().any(|end| log_of(path, end)) && size < whole(&header) {
        return Err(damaged(path, "it ends too early"));
    }
    Ok(())
}

/// Creates the file and the folders above it if they do not exist. Other processes cannot open the file
/// until the returned lock is dropped.
pub(super) async fn alone(path: &Path) -> Result<File, OpenError> {
    let make = || {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            private_folder(folder)?;
        }
        let lock = private_file(&beside(path, ".lock"))?;
        private_file(path)?;
        Ok(lock)
    };
    let lock = make().map_err(|error| cannot_be_opened(path, error))?;
    let deadline = Instant::now() + OPENING;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => tokio::time::sleep(POLL).await,
            Err(TryLockError::WouldBlock) => {
                let sentence =
                    format!("the SQLite file {} is still being opened by another server", path.display());
                return Err(OpenError::sentence(sentence));
            }
            Err(TryLockError::Error(error)) => return Err(cannot_be_opened(path, error)),
        }
    }
}

/// Creates a folder for the current user alone, if it does not exist.
pub(super) fn private_folder(path: &Path) -> io::Result<()> {
    let mut folder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder.recursive(true).create(path)
}

/// Opens a file. If it does not exist, creates it for the current user alone: transcripts are private.
pub(super) fn private_file(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.create(true).truncate(false).write(true).open(path)
}

/// Checks the file's integrity and its tables, before anything is written.
pub(super) async fn check(path: &Path, options: &SqliteConnectOptions) -> Result<(), OpenError> {
    let unreadable = |error: sqlx::Error| match &error {
        sqlx::Error::Database(said) if is_damage(said.code().as_deref()) => damaged(path, said.message()),
        _ => OpenError::new(format!("the SQLite file {} cannot be opened", path.display()), error),
    };
    // Read-only if there is a write-ahead log: the last writer to close copies the log into the file, even if
    // the file is damaged.
    let options = options.clone().read_only(log_of(path, "-wal"));
    let mut connection = SqliteConnection::connect_with(&options).await.map_err(unreadable)?;
    let found = look_through(&mut connection).await.map_err(unreadable);
    let closed = connection.close().await.map_err(unreadable);
    match found? {
        Found::Ours => closed,
        Found::Damage(how) => Err(damaged(path, &how)),
        Found::Foreign => Err(OpenError::sentence(format!(
            "the SQLite file {} is another program's; it is left as it is",
            path.display()
        ))),
    }
}

enum Found {
    Ours,
    Damage(String),
    Foreign,
}

async fn look_through(connection: &mut SqliteConnection) -> sqlx::Result<Found> {
    let found: String = sqlx::query_scalar("pragma quick_check(1)").fetch_one(&mut *connection).await?;
    if found != "ok" {
        return Ok(Found::Damage(found.lines().last().unwrap_or_default().to_owned()));
    }
    let tables: Vec<String> = sqlx::query_scalar("select name from sqlite_schema where type = 'table'")
        .fetch_all(connection)
        .await?;
    let ours = tables.is_empty() || tables.iter().any(|table| table == APPLIED);
    Ok(if ours { Found::Ours } else { Found::Foreign })
}

/// The minimum size of the file according to its header. The header's page count is valid only if its change
/// counter equals its version-valid-for number; otherwise the minimum is one page.
fn whole(header: &[u8]) -> u64 {
    let number = |at: usize| {
        header
            .get(at..at + 4)
            .map_or(0, |bytes| u64::from_be_bytes([0, 0, 0, 0, bytes[0], bytes[1], bytes[2], bytes[3]]))
    };
    if header.len() < HEADER {
        return HEADER as u64;
    }
    let page = match number(16) >> 16 {
        1 => 65_536,
        size => size,
    };
    let (changes, counted_at) = (number(24), number(92));
    if changes == counted_at { page * number(28) } else { page }
}

/// Whether the journal with this suffix exists and is not empty.
fn log_of(path: &Path, end: &str) -> bool {
    beside(path, end).metadata().is_ok_and(|log| log.len() > 0)
}

pub(super) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    name.into()
}

fn damaged(path: &Path, how: &str) -> OpenError {
    OpenError::sentence(format!("the SQLite file {} is damaged ({how}); it is left as it is", path.display()))
}

pub(super) fn cannot_be_opened(path: &Path, error: io::Error) -> OpenError {
    OpenError::new(format!("the SQLite file {} cannot be opened", path.display()), error)
}

/// Whether the code is `SQLITE_CORRUPT` or `SQLITE_NOTADB`.
fn is_damage(code: Option<&str>) -> bool {
    code.and_then(|code| code.parse::<i32>().ok()).is_some_and(|code| matches!(code & 0xff, 11 | 26))
}
