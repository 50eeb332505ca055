//! The published npm clients under Node, with our server. Their tests are in tests/clients.

use std::{env, path::Path, process::Stdio};

use tokio::process::Command;

use crate::support::{Server, TOKEN};

/// Runs a test file in Node against a new server.
async fn passes(file: &str) {
    let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients");
    assert!(
        clients.join("node_modules/@agent-webkit/core").exists(),
        "the published clients are not installed: `make test` does it"
    );
    let server = Server::start().await;
    let output = Command::new("node")
        .args(["--test", "--test-force-exit", "--test-reporter=spec", file])
        .current_dir(&clients)
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .env("HOME", server.dir("home"))
        .env("AGENT_URL", server.url())
        .env("AGENT_TOKEN", TOKEN)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("Node 20 or newer runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn the_core_client_does_all_it_can() {
    passes("core.test.mjs").await;
}

#[tokio::test]
async fn the_react_reducer_ends_in_the_right_state() {
    passes("react.test.mjs").await;
}
