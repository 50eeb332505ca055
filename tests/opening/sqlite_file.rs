//! SQLite files.

use std::path::{Path, PathBuf};

use agent_webkit::storage::{
    database::{Database, Location},
    transcripts::{SqliteTranscripts, TranscriptKey, TranscriptStore},
};
use sqlx::{
    AssertSqlSafe, Connection, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode},
};
use tempfile::TempDir;
use tokio::task::JoinSet;

async fn open(path: &Path) -> Result<Database, String> {
    Database::sqlite(path).await.map_err(|error| error.to_string())
}

/// Checks that the file is refused with this sentence and stays unchanged.
async fn refused(path: &Path, sentence: &str) {
    let before = std::fs::read(path).ok();
    let said = open(path).await.expect_err("it is refused");
    assert_eq!(said, sentence.replace("PATH", path.to_str().unwrap()));
    assert!(std::fs::read(path).ok() == before, "it was overwritten");
}

fn transcripts(database: &Database) -> SqliteTranscripts {
    let Database::Sqlite(file) = database else { panic!("it is a file") };
    SqliteTranscripts::new(file.clone())
}

async fn fill(database: &Database, entries: usize) {
    let entries: Vec<_> =
        (0..entries).map(|n| format!(r#"{{"n":{n},"s":"{}"}}"#, "s".repeat(1000)).parse().unwrap()).collect();
    transcripts(database).append(&TranscriptKey::main("p", "s"), &entries).await.unwrap();
}

async fn count(database: &Database) -> usize {
    transcripts(database).load(&TranscriptKey::main("p", "s")).await.unwrap().map_or(0, |all| all.len())
}

/// A database file with content, closed properly.
async fn filled() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    let database = open(&path).await.unwrap();
    fill(&database, 100).await;
    drop(database);
    execute(&path, "pragma wal_checkpoint(truncate)").await;
    (folder, path)
}

async fn execute(path: &Path, statement: &str) {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn what_was_stored_is_there_when_it_is_opened_again() {
    let (_folder, path) = filled().await;
    let database = open(&path).await.unwrap();
    assert_eq!(count(&database).await, 100);
}

#[tokio::test]
async fn folders_above_it_are_made() {
    let folder = tempfile::tempdir().unwrap();
    let location: Location =
        format!("sqlite:{}", folder.path().join("a/b/sessions.db").display()).parse().unwrap();
    let database = Database::open(&location).await.unwrap().expect("a file is no memory");
    fill(&database, 1).await;
    assert!(Database::open(&Location::Memory).await.unwrap().is_none());
}

#[tokio::test]
async fn an_empty_file_is_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    std::fs::write(&path, "").unwrap();
    let database = open(&path).await.unwrap();
    fill(&database, 1).await;
}

#[tokio::test]
async fn what_is_no_file_or_no_database() {
    let folder = tempfile::tempdir().unwrap();
    refused(folder.path(), "PATH is a folder, not a SQLite file").await;

    let text = folder.path().join("notes.txt");
    for content in ["x", "SQLite format", "Not everything with a hundred bytes is a database.\n\n"] {
        std::fs::write(&text, content.repeat(4)).unwrap();
        refused(&text, "PATH is not a SQLite database; it is left as it is").await;
    }
    refused(
        &text.join("sessions.db"),
        "the SQLite file PATH cannot be opened: Not a directory (os error 20)",
    )
    .await;
    let names: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["notes.txt"], "nothing is left beside it");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_folder_in_which_nobody_writes() {
    refused(
        Path::new("/proc/sessions.db"),
        "the SQLite file PATH cannot be opened: No such file or directory (os error 2)",
    )
    .await;
}

/// For root the file is writable, so the test returns early.
#[cfg(unix)]
#[tokio::test]
async fn a_file_and_a_folder_that_can_only_be_read() {
    use std::os::unix::fs::PermissionsExt;
    if rustix::process::geteuid().is_root() {
        return;
    }
    let (folder, path) = filled().await;
    let allow =
        |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    let denied = "the SQLite file PATH cannot be opened: Permission denied (os error 13)";
    allow(&path, 0o400);
    refused(&path, denied).await;
    allow(folder.path(), 0o500);
    refused(&folder.path().join("new.db"), denied).await;
    allow(folder.path(), 0o700);
}

#[tokio::test]
async fn a_truncated_file() {
    let (_folder, path) = filled().await;
    let size = std::fs::metadata(&path).unwrap().len();
    for left in [size - 1, size / 2, 4096, 99, 20] {
        std::fs::File::options().write(true).open(&path).unwrap().set_len(left).unwrap();
        refused(&path, "the SQLite file PATH is damaged (it ends too early); it is left as it is").await;
    }
}

#[tokio::test]
async fn a_corrupt_file() {
    let (_folder, path) = filled().await;
    let mut content = std::fs::read(&path).unwrap();
    // The header stays; everything after the first page is overwritten.
    for (n, byte) in content.iter_mut().enumerate().skip(4096) {
        *byte = (n * 31 % 251) as u8;
    }
    std::fs::write(&path, &content).unwrap();
    let said = open(&path).await.unwrap_err();
    assert!(said.starts_with(&format!("the SQLite file {} is damaged (", path.display())), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(std::fs::read(&path).unwrap() == content, "it was overwritten");

    // A damaged page that SQLite would notice only when it reads it is found, too.
    let (_folder, path) = filled().await;
    let mut content = std::fs::read(&path).unwrap();
    let middle = content.len() / 2 / 4096 * 4096;
    content[middle..middle + 4096].fill(0x5a);
    std::fs::write(&path, &content).unwrap();
    let said = open(&path).await.unwrap_err();
    assert!(said.contains("is damaged ("), "{said}");
    assert!(std::fs::read(&path).unwrap() == content, "it was overwritten");
}

#[tokio::test]
async fn another_programs_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bookmarks.db");
    execute(&path, "create table bookmarks (url text); insert into bookmarks values ('a')").await;
    refused(&path, "the SQLite file PATH is another program's; it is left as it is").await;
}

#[tokio::test]
async fn tables_that_another_version_has_made() {
    let sentence = "the tables in the SQLite file PATH cannot be used: they were made by";
    let (_folder, path) = filled().await;
    execute(
        &path,
        "insert into agent_webkit_migrations values (9999, 'later', '2030-01-01', true, x'00', 0)",
    )
    .await;
    refused(&path, &format!("{sentence} a newer version of this program")).await;

    let (_folder, path) = filled().await;
    execute(&path, "update agent_webkit_migrations set checksum = x'00' where version = 1").await;
    refused(&path, &format!("{sentence} another build of this program")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_servers_open_a_new_file_at_once_and_share_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data/sessions.db");
    let mut servers = JoinSet::new();
    for _ in 0..8 {
        let path = path.clone();
        servers.spawn(async move {
            let database = open(&path).await.unwrap();
            for _ in 0..20 {
                fill(&database, 1).await;
            }
            database
        });
    }
    let databases = servers.join_all().await;
    for database in &databases {
        assert_eq!(count(database).await, 160);
    }
    drop(databases);
    let left = std::fs::read_dir(folder.path().join("data/sessions.db-hosts")).unwrap();
    assert_eq!(left.count(), 0, "none of them is there any more");
}

#[cfg(unix)]
#[tokio::test]
async fn what_it_makes_is_the_users_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b/sessions.db");
    let database = open(&path).await.unwrap();
    fill(&database, 1).await;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for made in ["a", "a/b", "a/b/sessions.db-hosts"] {
        assert_eq!(mode(&folder.path().join(made)), 0o700, "{made}");
    }
    for made in ["sessions.db", "sessions.db-wal", "sessions.db-shm", "sessions.db.lock"] {
        assert_eq!(mode(&folder.path().join("a/b").join(made)), 0o600, "{made}");
    }
}

/// A copy of the files in use is like the files that a killed server leaves.
#[tokio::test]
async fn after_a_crash_all_that_was_stored_is_there() {
    let (folder, path) = filled().await;
    let database = open(&path).await.unwrap();
    fill(&database, 50).await;
    let copy = folder.path().join("copy.db");
    for end in ["", "-wal"] {
        std::fs::copy(format!("{}{end}", path.display()), format!("{}{end}", copy.display())).unwrap();
    }
    assert_eq!(count(&open(&copy).await.unwrap()).await, 150);
}

/// The write-ahead log is not written into a file of another application.
#[tokio::test]
async fn another_programs_file_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bookmarks.db");
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let options = options.journal_mode(SqliteJournalMode::Wal);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::raw_sql("create table bookmarks (url text)").execute(&mut connection).await.unwrap();
    let [copy, log] = ["copy.db", "copy.db-wal"].map(|name| folder.path().join(name));
    std::fs::copy(&path, &copy).unwrap();
    std::fs::copy(format!("{}-wal", path.display()), &log).unwrap();
    let before = std::fs::read(&log).unwrap();
    assert!(!before.is_empty());
    refused(&copy, "the SQLite file PATH is another program's; it is left as it is").await;
    assert!(std::fs::read(&log).unwrap() == before, "its log was changed");
}
