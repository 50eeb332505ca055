//! The published npm clients under Node, and Chromium's EventSource, with the examples. Their tests are in `tests/clients`
//! and `tests/console` of the repository.

use std::{
    env,
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::Ordering,
    time::Duration,
};

use tokio::process::Command;

use crate::{ag_ui_example, ai_sdk_example, openai_proxy_example, rig};

const PACE: Duration = Duration::from_millis(2);

#[tokio::test(flavor = "multi_thread")]
async fn published_clients_get_every_event_once_over_connections_that_are_cut() {
    let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/clients");
    assert!(
        clients.join("node_modules/ai").exists(),
        "the published clients are not installed: `make test` does it"
    );
    let upstream = rig::Completions::default();
    let proxy = rig::serve(openai_proxy_example::app(rig::serve(upstream.app()).await)).await;
    let output = node(&clients)
        .args(["--test", "--test-force-exit", "--test-reporter=spec", "layers.test.mjs"])
        .env("AG_UI_URL", address(&rig::serve(ag_ui_example::app(PACE)).await))
        .env("AI_SDK_URL", address(&rig::serve(ai_sdk_example::app(PACE)).await))
        .env("OPENAI_URL", address(&proxy))
        .output()
        .await
        .expect("Node 20 or newer runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(upstream.calls.load(Ordering::SeqCst), 1, "the upstream is called once");
}

#[tokio::test(flavor = "multi_thread")]
async fn chromiums_event_source_gets_every_event_once_over_connections_that_are_cut() {
    let Some(chromium) = chromium() else { return };
    let console = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/console");
    let upstream = rig::Completions::default();
    let proxy = rig::serve(openai_proxy_example::app(rig::serve(upstream.app()).await)).await;
    let output = node(&console)
        .arg("event_source.mjs")
        .env("HOME", env::temp_dir())
        .env("CHROMIUM", chromium)
        .env("OPENAI_URL", address(&proxy))
        .output()
        .await
        .expect("Node 20 or newer runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(upstream.calls.load(Ordering::SeqCst), 1, "the upstream is called once");
}

/// Node in this folder, with nothing of the environment but the path.
fn node(folder: &Path) -> Command {
    let mut command = Command::new("node");
    command.current_dir(folder).env_clear().env("PATH", env::var_os("PATH").unwrap_or_default());
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

fn chromium() -> Option<PathBuf> {
    let on_path = || {
        let path = env::var_os("PATH")?;
        env::split_paths(&path).map(|folder| folder.join("chromium")).find(|file| file.exists())
    };
    let named = env::var_os("AGENT_WEBKIT_CHROMIUM").filter(|path| !path.is_empty());
    let found = named.map(PathBuf::from).or_else(on_path);
    if found.is_none() {
        eprintln!("SKIPPED: there is no chromium; `make test` installs it where it can.");
    }
    found
}

/// The address without a path.
fn address(uri: &http::Uri) -> String {
    uri.to_string().trim_end_matches('/').to_owned()
}
