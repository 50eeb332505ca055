//! Records the sessions of `tests/fixtures`: `cargo nextest run --all-features -E 'test(fixtures::)' --run-ignored only`.

use std::{fs, path::Path};

use serde_json::json;

use crate::support::{Script, Server, Session, bash, tool};

/// The name of the directory in which the agents of the fixtures work.
const WORKSPACE: &str = "/work/project";

/// Ends the session, and writes its stream as its reader has received it, but for the names of directories.
async fn record(name: &str, server: &Server, session: Session) {
    let stream = session.close().await;
    let mut text = String::new();
    for frame in &stream.seen {
        text.push_str(std::str::from_utf8(&frame.raw).unwrap());
    }
    let workspace = fs::canonicalize(server.workspace()).unwrap();
    let text = text.replace(workspace.to_str().unwrap(), WORKSPACE);
    for place in ["/tmp", "/root", "/home", "/var", env!("CARGO_MANIFEST_DIR")] {
        let found = text.lines().find(|line| line.contains(place));
        assert!(found.is_none(), "{name} names a place of this machine: {found:?}");
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    fs::write(folder.join(name), text).unwrap();
}

#[tokio::test]
#[ignore = "writes the fixtures again"]
async fn record_all() {
    let server = Server::start().await;
    let mut session = server.session().await;
    session
        .say(
            Script::new(json!(["I will make it.", bash("toolu_1", "echo made > made && cat made")]))
                .then("Done."),
        )
        .await;
    let request = session.until("permission_request").await;
    session.allow(&request).await;
    session.until("result").await;
    record("tool_with_permission.sse", &server, session).await;

    let mut session = server.session().await;
    let option = |label: &str| json!({"label": label, "description": label});
    let question = json!({"question": "Which color?", "header": "Color", "multiSelect": false, "options": [option("Red"), option("Blue")]});
    let ask = tool("toolu_ask", "AskUserQuestion", &json!({"questions": [question]}));
    session.say(Script::new(ask).then("Blue, then.")).await;
    session.until("ask_user_question").await;
    let answers = json!([{"question": "Which color?", "selectedOptions": ["Blue"]}]);
    session
        .put(&json!({"type": "question_response", "correlation_id": "toolu_ask", "answers": answers}))
        .await;
    session.until("result").await;
    record("question.sse", &server, session).await;

    let mut session = server.session().await;
    session.say(Script::slow(200, 20)).await;
    for _ in 0..5 {
        session.until("message_delta").await;
    }
    session.interrupt().await;
    session.until("result").await;
    session.say(Script::bash("touch never")).await;
    session.until("permission_request").await;
    session.interrupt().await;
    session.until("result").await;
    record("interrupted.sse", &server, session).await;
}
