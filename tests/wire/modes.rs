//! Permission modes.

use serde_json::json;

use crate::support::{Script, Server};

#[tokio::test]
async fn a_mode_is_set_or_refused_in_the_agents_words() {
    let server = Server::start().await;
    let mut session = server.session().await;
    session.put(&json!({"type": "set_permission_mode", "mode": "acceptEdits"})).await;
    let turn = session.turn(Script::bash("touch made")).await;
    assert!(turn.iter().all(|frame| frame.event != "permission_request"), "edits are accepted");
    assert!(server.workspace().join("made").exists());

    let refused = session.input(&json!({"type": "set_permission_mode", "mode": "bogus"})).await;
    assert_eq!(refused.status, 400);
    assert!(refused.detail().contains("acceptEdits"), "the agent lists the modes: {}", refused.detail());

    let refused = session.input(&json!({"type": "set_permission_mode", "mode": "bypassPermissions"})).await;
    assert_eq!(refused.status, 403);
    session.close().await;
}

#[tokio::test]
async fn a_session_may_start_in_a_mode() {
    let server = Server::start().await;
    let mut session = server.session_with(&json!({"permission_mode": "acceptEdits"})).await;
    let turn = session.turn(Script::bash("touch made")).await;
    assert!(turn.iter().all(|frame| frame.event != "permission_request"), "edits are accepted");
    session.close().await;
}

#[tokio::test]
async fn the_operator_may_allow_to_bypass_permissions() {
    // As root, the CLI allows `bypassPermissions` only with `IS_SANDBOX`.
    let server = Server::builder().flag("--allow-bypass").env("IS_SANDBOX", "1").start().await;
    let mut session = server.session_with(&json!({"permission_mode": "bypassPermissions"})).await;
    let turn = session.turn(Script::bash("touch made")).await;
    assert!(turn.iter().all(|frame| frame.event != "permission_request"), "nothing is asked");
    session.close().await;
}
