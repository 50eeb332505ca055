//! The database of the binary, and its error messages if it cannot use it.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use rustix::process::Signal;

use crate::{
    reader::Reader,
    support::{Builder, Server, postgres::Cluster},
};

/// A password, which must not appear in any output.
const PASSWORD: &str = "hunter2";

/// Checks that the server exits with code 2 and one sentence with these words.
async fn refuses(server: Builder, words: &[&str]) {
    let (status, said) = server.fails().await;
    let sentences: Vec<_> = said.lines().filter(|line| line.starts_with("agent-webkit: ")).collect();
    let [sentence] = sentences[..] else { panic!("not one sentence: {said}") };
    assert!(said.trim_end().ends_with(sentence), "it says more: {said}");
    assert_eq!(status.code(), Some(2), "{said}");
    assert!(words.iter().all(|word| sentence.contains(word)), "{sentence}");
    assert!(!said.contains(PASSWORD) && !said.contains("panicked"), "{said}");
}

/// Does the same for a file, which must stay unchanged.
async fn refuses_file(path: &Path, words: &[&str]) {
    let before = fs::read(path).ok();
    refuses(at(path), words).await;
    assert!(fs::read(path).ok() == before, "{} was changed", path.display());
}

fn at(path: &Path) -> Builder {
    Server::builder().option("--store", format!("sqlite:{}", path.display()))
}

/// A database file with a session, as a server leaves it when it ends or is killed.
async fn used(folder: &Path, end: Signal) -> PathBuf {
    let path = folder.join("sessions.db");
    let mut server = at(&path).start().await;
    let mut reader = Reader::create(server.client()).await;
    reader.say("hello", "hello").await;
    reader.until("result").await;
    server.signal(end);
    server.wait(std::time::Duration::from_secs(20)).expect("it ends");
    path
}

#[tokio::test]
async fn a_damaged_file_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = used(folder.path(), Signal::TERM).await;
    let whole = fs::read(&path).unwrap();
    for left in [whole.len() - 1, whole.len() / 2, 4096, 50] {
        fs::write(&path, &whole[..left]).unwrap();
        refuses_file(&path, &["sessions.db", "damaged", "left as it is"]).await;
    }
    let mut noise = whole.clone();
    noise[4096..].iter_mut().enumerate().for_each(|(n, byte)| *byte = (n * 31 % 251) as u8);
    fs::write(&path, &noise).unwrap();
    refuses_file(&path, &["sessions.db", "damaged", "left as it is"]).await;

    fs::write(&path, &whole).unwrap();
    at(&path).start().await;
}

/// A killed server leaves its write-ahead log beside the file. Its content is neither lost nor written into a
/// damaged file.
#[tokio::test]
async fn a_file_that_was_damaged_after_a_crash_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    used(folder.path(), Signal::TERM).await;
    let path = used(folder.path(), Signal::KILL).await;
    let log = folder.path().join("sessions.db-wal");
    let (file, before) = (fs::read(&path).unwrap(), fs::read(&log).unwrap());
    assert!(!before.is_empty());
    fs::write(&path, &file[..file.len() / 2]).unwrap();
    refuses_file(&path, &["sessions.db", "damaged", "left as it is"]).await;
    assert!(fs::read(&log).unwrap() == before, "its log was changed");

    fs::write(&path, &file).unwrap();
    at(&path).start().await;
}

#[tokio::test]
async fn what_is_no_file_of_ours_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    refuses_file(folder.path(), &["is a folder"]).await;
    let notes = folder.path().join("notes.txt");
    fs::write(&notes, "milk, bread\n".repeat(100)).unwrap();
    refuses_file(&notes, &["notes.txt", "not a SQLite database"]).await;
    let foreign = folder.path().join("bookmarks.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&foreign).create_if_missing(true);
    let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::raw_sql("create table bookmarks (url text)").execute(&mut connection).await.unwrap();
    sqlx::Connection::close(connection).await.unwrap();
    refuses_file(&foreign, &["bookmarks.db", "another program's"]).await;
}

/// Not even root can write here.
#[tokio::test]
async fn a_place_where_nothing_can_be_written_is_refused() {
    refuses_file(Path::new("/proc/sessions.db"), &["/proc/sessions.db", "cannot be opened"]).await;
    refuses_file(Path::new("/sys/sessions/sessions.db"), &["/sys/sessions/sessions.db", "cannot be opened"])
        .await;
    refuses_file(Path::new("/etc/passwd/sessions.db"), &["Not a directory"]).await;
}

#[tokio::test]
async fn what_is_no_store_is_refused() {
    for wrong in ["", "memory:", "sqlite:", "mysql://u:hunter2@h/d", "/var/lib/sessions.db"] {
        for server in
            [Server::builder().option("--store", wrong), Server::builder().env("AGENT_WEBKIT_STORE", wrong)]
        {
            let (status, said) = server.fails().await;
            assert_eq!(status.code(), Some(2), "{said}");
            let sentence = "error: a store is memory, sqlite:PATH or postgres://USER@HOST/DATABASE\n";
            assert!(said.starts_with(sentence), "{said}");
            assert!(!said.contains(PASSWORD), "{said}");
        }
    }
}

#[tokio::test]
async fn a_postgres_server_that_cannot_be_used_is_told_without_its_password() {
    let cluster = Cluster::start();
    let database = cluster.database().await;
    let place = database.url().rsplit_once('@').expect("it has a login").1;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (url, words) in [
        ("postgres://u:hunter2@nowhere.invalid/d".to_owned(), ["nowhere.invalid/d", "cannot be used"]),
        (format!("postgres://u:hunter2@{free}/d"), [&free.to_string(), "Connection refused"]),
        (format!("postgres://postgres:hunter2@{place}"), [place, "password authentication failed"]),
        (format!("postgres://nobody:hunter2@{place}"), [place, "password authentication failed"]),
        (database.url().rsplit_once('/').unwrap().0.to_owned() + "/nowhere", ["nowhere", "does not exist"]),
        ("postgres://u:hunter2@h:port/d".to_owned(), ["URL", "cannot be read"]),
    ] {
        refuses(Server::builder().option("--store", url), &words).await;
    }
}

#[tokio::test]
async fn the_default_is_a_private_file_in_the_users_data_folder() {
    for variable in ["HOME", "XDG_DATA_HOME"] {
        let folder = tempfile::tempdir().unwrap();
        let data = match variable {
            "HOME" => folder.path().join(".local/share"),
            _ => folder.path().to_owned(),
        };
        let server = Server::builder().env(variable, folder.path()).start().await;
        let mut reader = Reader::create(server.client()).await;
        reader.say("hello", "hello").await;
        reader.until("result").await;
        let mode = |name: &str| fs::metadata(data.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode("agent-webkit"), 0o700, "{variable}");
        for name in ["sessions.db", "sessions.db-wal"] {
            assert_eq!(mode(&format!("agent-webkit/{name}")), 0o600, "{variable}: {name}");
        }
    }
}
