//! PgBouncer before a server, where it is installed: each transaction gets whichever connection is free.

use std::{
    fs,
    net::TcpListener,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// The system's user without rights: PgBouncer does not run as root.
const NOBODY: u32 = 65534;

#[derive(Debug)]
pub(crate) struct Pooler {
    url: String,
    process: Child,
    _folder: TempDir,
}

impl Pooler {
    /// Before the server of this URL. `None`, with a word about it, where PgBouncer is not installed.
    pub(crate) async fn before(url: &str, mode: &str) -> Option<Self> {
        let (login, place) = url.strip_prefix("postgres://")?.split_once('@')?;
        let (user, password) = login.split_once(':')?;
        let (host, database) = place.split_once('/')?;
        let (host, server_port) = host.split_once(':')?;
        let folder = tempfile::tempdir().expect("a directory");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
        let config = format!(
            "[databases]\n{database} = host={host} port={server_port} user={user} password={password}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = any\npool_mode = {mode}\ndefault_pool_size = 3\n"
        );
        let path = folder.path().join("pgbouncer.ini");
        fs::write(&path, config).expect("a file");
        let mut command = Command::new("pgbouncer");
        command
            .arg("--quiet")
            .arg(&path)
            .env("PATH", "/usr/sbin:/usr/bin:/bin:/usr/local/bin")
            .stdin(Stdio::null());
        if rustix::process::geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        let Ok(process) = command.spawn() else {
            eprintln!("skipped: PgBouncer is not installed");
            return None;
        };
        let url = format!("postgres://{user}@127.0.0.1:{port}/{database}");
        let pooler = Self { url, process, _folder: folder };
        let deadline = Instant::now() + Duration::from_secs(10);
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(Instant::now() < deadline, "PgBouncer does not listen");
            tokio::task::yield_now().await;
        }
        Some(pooler)
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
