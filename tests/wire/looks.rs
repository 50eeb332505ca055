//! Looking at the agent and at the session's directory.

use std::{fs, os::unix::fs::symlink};

use serde_json::{Value, json};

use crate::support::{Client, Script, Server, Session, eventually};

const MCP_SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/eliciting_mcp_server.py");

async fn look(client: &Client, id: &str, name: &str) -> Value {
    let reply = client.get(&format!("/sessions/{id}/{name}")).await;
    assert_eq!(reply.status, 200, "{name}: {reply:?}");
    let Value::Object(members) = reply.json() else { panic!("{reply:?}") };
    assert_eq!(members.len(), 1, "{reply:?}");
    members.get(name).unwrap_or_else(|| panic!("{reply:?}")).clone()
}

fn named<'a>(list: &'a Value, member: &str, name: &str) -> &'a Value {
    let found = list.as_array().unwrap().iter().find(|item| item[member] == name);
    found.unwrap_or_else(|| panic!("no {name} in {list}"))
}

#[tokio::test]
async fn the_agent_tells_its_commands_models_context_and_mcp_servers() {
    let builder = Server::builder();
    let config = builder.dir("config");
    fs::create_dir_all(config.join("commands")).unwrap();
    fs::write(config.join("commands/greet.md"), "---\ndescription: Greets\n---\nSay hello.").unwrap();
    let mcp = json!({"command": "python3", "args": [MCP_SERVER, "s3cret"]});
    fs::write(config.join(".claude.json"), json!({"mcpServers": {"asks": mcp}}).to_string()).unwrap();
    let server = builder.start().await;
    let client = server.client();
    let id = client.created(&json!({})).await;

    let commands = look(&client, &id, "commands").await;
    assert!(named(&commands, "name", "greet")["description"].as_str().unwrap().contains("Greets"));
    let models = look(&client, &id, "models").await;
    assert!(named(&models, "value", "sonnet")["displayName"].is_string());
    let context = look(&client, &id, "context").await;
    assert!(context["totalTokens"].as_u64().unwrap() > 0 && context["maxTokens"].is_u64(), "{context}");
    eventually("the MCP server is connected", async || {
        let servers = look(&client, &id, "mcp").await;
        assert!(!servers.to_string().contains("s3cret"), "{servers}");
        let asks = named(&servers, "name", "asks");
        asks["status"] == "connected" && asks["tools"][0]["name"] == "ask"
    })
    .await;

    let mut session = Session { events: client.events(&id).await, client, id };
    let before = look(&session.client, &session.id, "context").await["totalTokens"].as_u64();
    session.turn(Script::text(&"word ".repeat(4000))).await;
    let after = look(&session.client, &session.id, "context").await["totalTokens"].as_u64();
    assert!(after > before, "{after:?} after {before:?}");
    session.close().await;
}

#[tokio::test]
async fn looking_wakes_nobody() {
    let server = Server::builder().option("--hibernate-after", "1s").start().await;
    let mut session = server.session().await;
    session.turn("hello").await;
    let context = look(&session.client, &session.id, "context").await;
    while session.until("status").await["status"] != "hibernating" {}

    assert_eq!(look(&session.client, &session.id, "context").await, context, "it is known and still true");
    let asleep = session.client.get(&format!("/sessions/{}/models", session.id)).await;
    assert_eq!((asleep.status.as_u16(), asleep.header("retry-after")), (503, Some("1")), "{asleep:?}");
    assert!(asleep.detail().contains("asleep"), "{asleep:?}");
    assert_eq!(look(&session.client, &session.id, "files").await, json!([]));

    session.turn("hello again").await;
    assert!(named(&look(&session.client, &session.id, "models").await, "value", "sonnet").is_object());
    assert_ne!(look(&session.client, &session.id, "context").await, context);
    session.turn("and again").await;
    while session.until("status").await["status"] != "hibernating" {}
    let stale = session.client.get(&format!("/sessions/{}/context", session.id)).await;
    assert_eq!(stale.status, 503, "a turn has changed it since: {stale:?}");
    session.close().await;
}

#[tokio::test]
async fn files_are_those_below_the_sessions_directory() {
    let server = Server::start().await;
    let workspace = server.workspace();
    for path in [".git/HEAD", "app/src/main.rs", "app/target/main.o", "secret.txt", "app/ä & b.txt"] {
        let path = workspace.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    fs::write(workspace.join(".gitignore"), "target\n").unwrap();
    symlink(workspace.join("secret.txt"), workspace.join("app/secret.txt")).unwrap();
    symlink("/", workspace.join("app/root")).unwrap();
    let client = server.client();
    let id = client.created(&json!({"cwd": "app"})).await;

    let all = look(&client, &id, "files").await;
    assert_eq!(all, json!(["src/", "ä & b.txt", "src/main.rs"]));
    let files = async |query: &str| {
        let reply = client.get(&format!("/sessions/{id}/files?query={query}")).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json()["files"].clone()
    };
    assert_eq!(files("MAIN").await, json!(["src/main.rs"]));
    assert_eq!(files("%C3%A4+%26").await, json!(["ä & b.txt"]));
    for outside in ["secret", "..%2F", "root", "etc", "%2Fetc%2Fpasswd"] {
        assert_eq!(files(outside).await, json!([]), "{outside}");
    }
    let long = client.get(&format!("/sessions/{id}/files?query={}", "x".repeat(5000))).await;
    assert_eq!(long.status, 400, "{long:?}");
}
