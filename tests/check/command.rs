//! `agent-webkit check` as a process, on our own server with the real CLI.

use serde_json::Value;
use tokio::process::Command;

use crate::support::{Script, Server, TOKEN};

/// Runs it, and returns its exit code, its report, and standard error.
async fn check(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_agent-webkit"))
        .arg("check")
        .args(arguments)
        .env_clear()
        .env("AGENT_WEBKIT_TOKEN", TOKEN)
        .output()
        .await
        .unwrap();
    let [report, errors] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    (output.status.code(), report, errors)
}

#[tokio::test]
async fn our_server_keeps_every_promise() {
    let server = Server::builder().option("--keepalive", "1").start().await;
    let (code, report, errors) = check(&[server.url(), "--keepalive", "3"]).await;
    assert_eq!(code, Some(0), "{report}{errors}");
    assert!(report.ends_with(" passed, 0 failed, 0 skipped\n"), "{report}");
    let listed = server.client().get("/sessions").await;
    assert_eq!(listed.json()["sessions"], Value::Array(Vec::new()), "its sessions are deleted");
}

#[tokio::test]
async fn the_stream_of_a_session_is_a_resumable_stream() {
    let server = Server::builder().option("--keepalive", "1").start().await;
    let mut session = server.session().await;
    session.say(Script::text("one two three")).await;
    session.until("result").await;
    let url = format!("{}/sessions/{}/stream", server.url(), session.id);
    let (code, report, errors) = check(&[&url, "--stream", "--keepalive", "3", "--format", "json"]).await;
    assert_eq!(code, Some(0), "{report}{errors}");
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["target"], url);
    let checks = report["checks"].as_array().unwrap();
    let skipped = checks.iter().filter(|check| check["outcome"] != "passed").map(|check| &check["name"]);
    assert_eq!(skipped.collect::<Vec<_>>(), ["stream.end"], "{report}");
    session.close().await;
}

#[tokio::test]
async fn what_it_finds_is_its_exit_code_and_a_junit_file() {
    let server = Server::start().await;
    // A health check is no stream.
    let url = format!("{}/healthz", server.url());
    let (code, report, errors) = check(&[&url, "--stream", "--format", "junit"]).await;
    assert_eq!((code, errors.as_str()), (Some(1), "agent-webkit: 1 of 1 checks failed\n"));
    assert!(report.contains("<testsuite name=") && report.contains(r#"tests="1" failures="1""#), "{report}");
    assert!(report.contains(r#"<failure message="the answer is no event stream: 200 OK"#), "{report}");

    let (code, _, errors) = check(&["ftp://127.0.0.1"]).await;
    assert_eq!(
        (code, errors.as_str()),
        (Some(2), "agent-webkit: ftp://127.0.0.1/ is not an http or https URL\n")
    );
}
