//! The published npm clients under Node, with the examples. Their tests are in `tests/clients` of the repository.

use std::{env, path::Path, process::Stdio, sync::atomic::Ordering, time::Duration};

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
    let output = Command::new("node")
        .args(["--test", "--test-force-exit", "--test-reporter=spec", "layers.test.mjs"])
        .current_dir(&clients)
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .env("AG_UI_URL", address(&rig::serve(ag_ui_example::app(PACE)).await))
        .env("AI_SDK_URL", address(&rig::serve(ai_sdk_example::app(PACE)).await))
        .env("OPENAI_URL", address(&proxy))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("Node 20 or newer runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(upstream.calls.load(Ordering::SeqCst), 1, "the upstream is called once");
}

/// The address without a path.
fn address(uri: &http::Uri) -> String {
    uri.to_string().trim_end_matches('/').to_owned()
}
