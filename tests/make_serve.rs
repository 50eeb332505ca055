//! `make serve`: what it says when something is missing, and its link.
#![cfg(feature = "cli")]

mod support;

use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::{Command, Output, Stdio},
};

use http::Method;
use rustix::process::{Pid, Signal, kill_process};
use support::{Client, claude, model_url};
use tempfile::TempDir;

/// A checkout with the scripts alone, and a `PATH` of its own.
struct Checkout(TempDir);

impl Checkout {
    fn new() -> Self {
        let checkout = Self(tempfile::tempdir().unwrap());
        for name in ["scripts", "path", "target/release", "home"] {
            fs::create_dir_all(checkout.path(name)).unwrap();
        }
        for name in ["serve.sh", "claude.sh"] {
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(name);
            fs::copy(script, checkout.path("scripts").join(name)).unwrap();
        }
        for name in ["bash", "cat", "dirname", "env", "mkdir", "od", "sed", "tr"] {
            symlink(which(name), checkout.path("path").join(name)).unwrap();
        }
        checkout
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    /// Puts a program on the `PATH` that does this.
    fn has(self, name: &str, script: &str) -> Self {
        let file = self.path("path").join(name);
        fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.path("scripts/serve.sh"));
        command
            .args(arguments)
            .current_dir(self.0.path())
            .env_clear()
            .env("PATH", self.path("path"))
            .env("HOME", self.path("home"))
            .env("CARGO_TARGET_DIR", self.path("target"))
            .stdin(Stdio::null());
        command
    }

    /// Runs the script, which must fail. Returns what it has said.
    fn fails(&self, arguments: &[&str]) -> String {
        let Output { status, stdout, stderr } = self.command(arguments).output().unwrap();
        assert_eq!(status.code(), Some(1), "{}", String::from_utf8_lossy(&stderr));
        assert!(stdout.is_empty(), "{}", String::from_utf8_lossy(&stdout));
        String::from_utf8(stderr).unwrap()
    }
}

fn which(name: &str) -> String {
    let found = Command::new("sh").args(["-c", &format!("command -v {name}")]).output().unwrap();
    String::from_utf8(found.stdout).unwrap().trim().to_owned()
}

#[test]
fn what_is_missing_is_one_sentence() {
    let port = free_port();
    let said = Checkout::new().fails(&["--port", &port]);
    assert_eq!(said, "cargo is missing: install Rust 1.95 or newer from https://rustup.rs.\n");

    let checkout = Checkout::new().has("cargo", "exit 0");
    let said = checkout.fails(&["--port", &port]);
    assert!(said.starts_with("node is missing: install Node 20") && said.lines().count() == 1, "{said}");
    let checkout = checkout.has("node", "exit 0");
    let said = checkout.fails(&["--port", &port]);
    assert!(said.starts_with("npm is missing: install Node 20") && said.lines().count() == 1, "{said}");

    let checkout = checkout.has("npm", "echo 'npm error network' >&2; exit 1");
    let said = checkout.fails(&["--port", &port]);
    let last = said.lines().last().unwrap();
    assert!(last.starts_with("npm cannot install the claude CLI") && last.contains("network"), "{said}");
}

#[test]
fn a_port_in_use_is_said_before_anything_else() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    for arguments in [&["--port", &port][..], &[&format!("--port={port}")]] {
        let said = Checkout::new().fails(arguments);
        assert!(said.starts_with(&format!("Port {port} is in use")) && said.lines().count() == 1, "{said}");
    }
}

#[test]
fn the_first_build_says_how_long_it_takes() {
    let checkout = Checkout::new().has("cargo", "echo 'error: no crates' >&2; exit 101");
    let mut command = checkout.command(&["--port", &free_port()]);
    let output = command.env("AGENT_WEBKIT_CLAUDE", claude()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let lines = said.lines().collect::<Vec<_>>();
    assert_eq!(lines[0], "Building the server. The first time takes about four minutes on two cores.");
    assert_eq!(lines[1], "error: no crates");
    assert!(lines[2].starts_with("The server cannot be built") && lines.len() == 3, "{said}");
}

#[tokio::test]
async fn its_link_signs_in_and_agents_work_outside_of_the_checkout() {
    let checkout = Checkout::new().has("cargo", "exit 0");
    symlink(env!("CARGO_BIN_EXE_agent-webkit"), checkout.path("target/release/agent-webkit")).unwrap();
    let mut server = checkout
        .command(&["--port", "0"])
        .env("AGENT_WEBKIT_CLAUDE", claude())
        .env("ANTHROPIC_BASE_URL", model_url())
        .env("ANTHROPIC_API_KEY", "x")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let line = lines.next().unwrap().unwrap();
    let (url, fragment) = line.strip_prefix("open ").unwrap().split_once("/#").unwrap();
    let token = fragment.strip_prefix("token=").unwrap().strip_suffix("&keep=1").unwrap();

    let client = Client::new(url, Some(token));
    let html = [("accept", "text/html")];
    assert_eq!(client.with_token(None).ask(Method::GET, "/", &html, "").await.status, 200);
    let id = client.created(&serde_json::json!({})).await;
    let session = client.get(&format!("/sessions/{id}")).await.json();
    let work = fs::canonicalize(checkout.path(".local/work")).unwrap();
    assert_eq!(session["cwd"], work.display().to_string());

    // The script's process is the server.
    kill_process(Pid::from_raw(server.id().cast_signed()).unwrap(), Signal::TERM).unwrap();
    assert!(server.wait().unwrap().success());
    assert_eq!(lines.next().map(Result::unwrap), None, "there is one link");
}

/// A port on which nothing listens.
fn free_port() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string()
}
