//! A real NATS server of a test, on loopback.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use super::ports::free_port;

/// A NATS server. It ends when it is dropped, or when this process ends in any way.
#[derive(Debug)]
pub(crate) struct Nats {
    binary: PathBuf,
    port: u16,
    running: Option<Child>,
}

impl Nats {
    /// Starts a server. `None`, with a word about it, where NATS is not installed.
    ///
    /// # Panics
    /// The server does not start.
    pub(crate) fn start() -> Option<Self> {
        let Some(binary) = binary() else {
            eprintln!("skipped: nats-server is not installed (scripts/nats.sh does that on Debian)");
            return None;
        };
        let mut nats = Self { binary, port: 0, running: None };
        for _ in 0..20 {
            // Below the ports of outgoing connections, so that it is still free when the server starts again.
            nats.port = free_port();
            if nats.run() {
                return Some(nats);
            }
        }
        panic!("no port for a NATS server could be found");
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Stops the server at once. What it has not delivered is lost.
    pub(crate) fn stop(&mut self) {
        if let Some(mut shell) = self.running.take() {
            drop(shell.stdin.take());
            shell.wait().expect("the server ends");
        }
    }

    /// Starts the server again, on the same port.
    ///
    /// # Panics
    /// It does not start.
    pub(crate) fn start_again(&mut self) {
        assert!(self.running.is_none() && self.run(), "NATS did not start again");
    }

    /// Starts the server and waits until it serves. A shell ends it when the shell's stdin is closed, which also happens
    /// when this process ends.
    fn run(&mut self) -> bool {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", r#""$@" & read -r _; kill -KILL $!; wait $!"#, "sh"])
            .arg(&self.binary)
            .args(["--addr", "127.0.0.1", "--port", &self.port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut log = BufReader::new(shell.stderr.take().expect("it was piped")).lines();
        for line in log.by_ref().map_while(Result::ok) {
            if line.contains("Server is ready") {
                std::thread::spawn(move || log.for_each(drop));
                self.running = Some(shell);
                return true;
            }
            if line.contains("[FTL]") {
                break;
            }
        }
        drop(shell.stdin.take());
        shell.wait().expect("the shell ends");
        false
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The server's path, from the PATH or where Debian or `scripts/nats.sh` puts it.
fn binary() -> Option<PathBuf> {
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join(".local/nats/usr/sbin");
    let mut folders = std::env::split_paths(&on_path).chain(["/usr/sbin".into(), unpacked]);
    folders.find_map(|folder| Some(folder.join("nats-server")).filter(|path| path.is_file()))
}
