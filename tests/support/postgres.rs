//! A real Postgres for tests.
//!
//! Most tests need a database and share a server: the one at `DATABASE_URL`, or one that is started here.
//!
//! ```ignore
//! let database = TestDatabase::new().await;
//! let store = PgTranscripts::connect(database.url(), 0, 4).await?;
//! ```
//!
//! A test of outages needs its own server:
//!
//! ```ignore
//! let mut cluster = Cluster::start();
//! let database = cluster.database().await;
//! cluster.stop();
//! cluster.start_again();
//! ```
#![allow(dead_code, reason = "every test crate uses another part of it")]

use std::{
    hash::{BuildHasher, RandomState},
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, Weak},
};

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;

use super::ports::free_port;

/// A server of one test, in a private folder and on loopback. It ends when it is dropped, or when this
/// process ends in any way.
#[derive(Debug)]
pub(crate) struct Cluster {
    folder: TempDir,
    binaries: PathBuf,
    port: u16,
    password: String,
    running: Option<Child>,
}

/// An empty database. Dropping it drops the database.
#[derive(Debug)]
pub(crate) struct TestDatabase {
    url: String,
    server: String,
    name: String,
    _cluster: Option<Arc<Cluster>>,
}

impl TestDatabase {
    /// Creates a database on the shared server.
    pub(crate) async fn new() -> Self {
        match std::env::var("DATABASE_URL") {
            Ok(url) => Self::create(&url, None).await,
            Err(_) => {
                let cluster = shared();
                Self::create(&cluster.url(), Some(cluster)).await
            }
        }
    }

    /// The URL of the database.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    async fn create(server: &str, cluster: Option<Arc<Cluster>>) -> Self {
        let name = format!("agent_webkit_{}", uuid::Uuid::new_v4().simple());
        execute(server, format!("create database {name}")).await.expect("a database of its own");
        Self { url: with_database(server, &name), server: server.to_owned(), name, _cluster: cluster }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let drop_it = execute(&self.server, format!("drop database if exists {} with (force)", self.name));
        // On a thread, because the test's runtime may have only this one. A failure is ignored: the server
        // may be gone.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let _ = runtime.expect("a runtime").block_on(drop_it);
            });
        });
    }
}

impl Cluster {
    /// Makes a cluster and starts it.
    ///
    /// # Panics
    /// There is no Postgres on this machine.
    pub(crate) fn start() -> Self {
        let binaries = binaries().expect(
            "initdb is missing: install PostgreSQL (scripts/postgres.sh does on Debian), or set DATABASE_URL",
        );
        let folder = tempfile::Builder::new().prefix("agent-webkit-postgres-").tempdir().expect("a folder");
        let password = format!("{:016x}", RandomState::new().hash_one(folder.path()));
        if let Some((user, group)) = stand_in() {
            std::os::unix::fs::chown(folder.path(), Some(user), Some(group)).expect("its owner");
        }
        let word = folder.path().join("password");
        std::fs::write(&word, &password).expect("the password");
        let made = command(&binaries.join("initdb"), folder.path())
            .args(["--username=postgres", "--auth=password", "--encoding=UTF8", "--locale=C", "--no-sync"])
            .arg(format!("--pwfile={}", word.display()))
            .args(["--pgdata", "data"])
            .output()
            .expect("initdb runs");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let mut cluster = Self { folder, binaries, port: 0, password, running: None };
        for _ in 0..20 {
            cluster.port = free_port();
            if cluster.run().is_ok() {
                return cluster;
            }
        }
        panic!("no port for a Postgres server could be found");
    }

    /// The URL of its database `postgres`.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres:{}@{}/postgres", self.password, self.authority())
    }

    /// Its address, as `host:port`.
    pub(crate) fn authority(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The id of its first process, which starts all others.
    pub(crate) fn pid(&self) -> i32 {
        let file = std::fs::read_to_string(self.folder.path().join("data/postmaster.pid")).expect("it runs");
        file.lines().next().and_then(|pid| pid.parse().ok()).expect("a pid")
    }

    /// Creates an empty database on this server.
    pub(crate) async fn database(&self) -> TestDatabase {
        TestDatabase::create(&self.url(), None).await
    }

    /// Stops the server at once, as a power loss does. Commits are kept.
    pub(crate) fn stop(&mut self) {
        if let Some(mut shell) = self.running.take() {
            drop(shell.stdin.take());
            shell.wait().expect("the server ends");
        }
    }

    /// Starts the server again, on the same port.
    ///
    /// # Panics
    /// If the server does not start.
    pub(crate) fn start_again(&mut self) {
        assert!(self.running.is_none(), "it was not stopped");
        if let Err(said) = self.run() {
            panic!("Postgres did not start again: {said}");
        }
    }

    /// Starts the server and waits until it serves. A shell ends it when the shell's stdin is closed, which
    /// also happens when this process ends.
    fn run(&mut self) -> Result<(), String> {
        let mut shell = command(Path::new("/bin/sh"), self.folder.path())
            .args(["-c", r#""$@" & read -r _; kill -QUIT $!; wait $!"#, "sh"])
            .arg(self.binaries.join("postgres"))
            .args(["-D", "data", "-p", &self.port.to_string(), "-k", "", "-F"])
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut log = BufReader::new(shell.stderr.take().expect("it was piped")).lines();
        let mut said = String::new();
        for line in log.by_ref().map_while(Result::ok) {
            if line.contains("ready to accept connections") {
                std::thread::spawn(move || log.for_each(drop));
                self.running = Some(shell);
                return Ok(());
            }
            said = said + &line + "\n";
            // Connections during the start-up are refused with a FATAL line, too.
            if line.contains("FATAL") && !line.contains("the database system is") {
                break;
            }
        }
        drop(shell.stdin.take());
        shell.wait().expect("the shell ends");
        Err(said)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Returns the server of this process, which runs as long as a test holds it.
fn shared() -> Arc<Cluster> {
    static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().expect("no test fails in here");
    shared.upgrade().unwrap_or_else(|| {
        let cluster = Arc::new(Cluster::start());
        *shared = Arc::downgrade(&cluster);
        cluster
    })
}

fn execute(server: &str, statement: String) -> impl Future<Output = sqlx::Result<()>> + Send + 'static {
    let server = server.to_owned();
    async move {
        let mut connection = PgConnection::connect(&server).await?;
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await?;
        connection.close().await
    }
}

fn with_database(url: &str, name: &str) -> String {
    let (place, query) = url.split_once('?').map_or((url, String::new()), |(p, q)| (p, format!("?{q}")));
    let authority = place.find("://").map_or(0, |at| at + 3);
    let end = place[authority..].find('/').map_or(place.len(), |at| authority + at);
    format!("{}/{name}{query}", &place[..end])
}

/// Returns the folder of `initdb`, from the PATH or where Debian and Homebrew install it.
fn binaries() -> Option<PathBuf> {
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&on_path).collect();
    for (parent, below) in
        [("/usr/lib/postgresql", "bin"), ("/opt/homebrew/opt", "bin"), ("/usr/local/opt", "bin")]
    {
        let mut found: Vec<PathBuf> = std::fs::read_dir(parent)
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path().join(below)))
            .collect();
        found.sort();
        folders.extend(found.into_iter().rev());
    }
    folders.into_iter().find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file())
}

/// A command in the cluster's folder, as another user if this is root: Postgres refuses to run as root.
fn command(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).env("LC_ALL", "C");
    if let Some((user, group)) = stand_in() {
        command.uid(user).gid(group);
    }
    command
}

/// For root, the ids of the user `postgres`, or of `nobody`.
fn stand_in() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").expect("the users of this machine");
    let ids = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    Some(ids("postgres").or_else(|| ids("nobody")).expect("a user that is not root"))
}
