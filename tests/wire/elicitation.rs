//! What an MCP server asks of the user is a prompt like any other.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Script, Server, Session, tool};

const MCP_SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/eliciting_mcp_server.py");

/// A session whose agent has called the tool that asks.
async fn asked(server: &Server) -> (Session, Value) {
    let mut session = server.session().await;
    let call = tool("toolu_ask", "mcp__asks__ask", &json!({}));
    session.say(Script::new(call).then("Done.")).await;
    let permission = session.until("permission_request").await;
    session.allow(&permission).await;
    let request = session.until("elicitation_request").await.data.clone();
    (session, request)
}

async fn start() -> Server {
    let builder = Server::builder();
    let config = builder.dir("config");
    fs::create_dir_all(&config).unwrap();
    let servers = json!({"mcpServers": {"asks": {"command": "python3", "args": [MCP_SERVER]}}});
    fs::write(config.join(".claude.json"), servers.to_string()).unwrap();
    builder.start().await
}

#[tokio::test]
async fn an_answer_reaches_the_mcp_server() {
    let server = start().await;
    for (reply, expected) in [
        (json!({"action": "accept", "content": {"name": "heliotrope"}}), "heliotrope"),
        (json!({"action": "decline"}), "decline"),
        (json!({"action": "cancel"}), "cancel"),
    ] {
        let (mut session, request) = asked(&server).await;
        assert_eq!(
            (&request["server_name"], &request["message"]),
            (&json!("asks"), &json!("What is your name?"))
        );
        assert_eq!(
            (&request["mode"], &request["requested_schema"]["required"]),
            (&json!("form"), &json!(["name"]))
        );
        let state = server.client().get(&format!("/sessions/{}", session.id)).await.json();
        assert_eq!(state["pending"][0]["type"], "elicitation_request", "{state}");

        let mut answer = reply;
        let members = json!({"type": "elicitation_response", "correlation_id": request["correlation_id"]});
        answer.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        assert_eq!(session.input(&answer).await.status, 204);
        assert_eq!(session.input(&answer).await.status, 409, "the first answer wins");
        let resolved = session.until("prompt_resolved").await.data.clone();
        assert_eq!(resolved["kind"], "elicitation", "{resolved}");
        let output = session.until("tool_result").await.data.to_string();
        assert!(output.contains(expected), "{output}");
        session.until("result").await;
        session.close().await;
    }
}

#[tokio::test]
async fn an_answer_of_another_type_is_refused_and_the_prompt_stays_open() {
    let server = start().await;
    let (session, request) = asked(&server).await;
    let id = &request["correlation_id"];
    for wrong in [
        json!({"type": "permission_response", "correlation_id": id, "behavior": "allow"}),
        json!({"type": "question_response", "correlation_id": id, "answers": {"a": "b"}}),
        json!({"type": "elicitation_response", "correlation_id": id, "action": "decline", "content": {}}),
    ] {
        assert_eq!(session.input(&wrong).await.status, 400, "{wrong}");
    }
    let state = server.client().get(&format!("/sessions/{}", session.id)).await.json();
    assert_eq!(state["pending"][0]["correlation_id"], *id, "{state}");
    session.close().await;
}
