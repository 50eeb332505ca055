//! The checks on the Python reference: what they find is what `docs/check.md` lists.

use std::{env, path::Path, process::Stdio};

use agent_webkit::check::{Target, protocol};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::process::Command;

use crate::support::{eventually, model_url};

#[tokio::test]
async fn it_fails_the_checks_that_the_guide_lists() {
    let python = env::var_os("AGENT_WEBKIT_REFERENCE");
    let Some(python) = python.filter(|python| Path::new(python).exists()) else {
        eprintln!("skipped: the Python reference is not installed (scripts/reference.sh does that)");
        return;
    };
    let (home, port) = (tempfile::tempdir().unwrap(), free_port());
    let _reference = Command::new(python)
        .args(["-m", "agent_webkit_server.adapters.fastapi", "--token", "reference", "--port"])
        .arg(port.to_string())
        .current_dir(home.path())
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .env("HOME", home.path())
        .env("ANTHROPIC_BASE_URL", model_url())
        .env("ANTHROPIC_API_KEY", "any")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let listens = async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok();
    eventually("the reference listens", listens).await;

    let http = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
    let mut target = Target::new(format!("http://127.0.0.1:{port}").parse().unwrap());
    target.token = Some("reference".to_owned());
    let report = protocol(http, &target).await;
    let found: Vec<_> = report.failed().map(|check| check.name).collect();
    let guide = include_str!("../../docs/check.md").split_once("## The Python reference").unwrap().1;
    let listed = guide.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    // The reference dies of it only after its 15 seconds.
    let listed: Vec<_> = listed.map(|(name, _)| name).filter(|name| *name != "stream.keepalive").collect();
    assert_eq!(found, listed, "{}", report.text());
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
