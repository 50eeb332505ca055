//! Owners are walls: what one owner's client or agent does reaches nothing of another owner's, and nothing that
//! `approve` guards can be had without it.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Builder, Client, Events, Script, Server, eventually, processes::agent_of, tool};

/// A server with a session's owner `ada`, who may also come as `ada-drives` without the scope `approve`, and
/// `bob`.
async fn start(builder: Builder) -> Server {
    let file = builder.dir("home").join("tokens");
    fs::write(&file, "ada:ada\nada:ada-drives:read,drive\nbob:bob\n").unwrap();
    builder.option("--tokens-file", &file).start().await
}

fn as_(server: &Server, token: &str) -> Client {
    server.client().with_token(Some(token))
}

async fn say(client: &Client, id: &str, text: &str) -> Events {
    let mut events = client.events(id).await;
    let sent = client.input(id, &json!({"type": "user_message", "content": text})).await;
    assert_eq!(sent.status, 204);
    events.until("user_message").await;
    events.until("result").await;
    events
}

#[tokio::test]
async fn without_approve_a_text_is_nothing_but_text() {
    let server = start(Server::builder()).await;
    let secret = server.dir("home").join("secret.txt");
    fs::write(&secret, "heliotrope").unwrap();
    let echo = Script::text("ECHO_HISTORY");
    for (token, is_read) in [("ada-drives", false), ("ada", true)] {
        let client = as_(&server, token);
        let id = client.created(&json!({})).await;
        let events = say(&client, &id, &format!("@{} {echo}", secret.display())).await;
        let said = events.all("message_complete").last().unwrap().data.to_string();
        assert_eq!(said.contains("heliotrope"), is_read, "{token}: {said}");

        let id = client.created(&json!({})).await;
        let events = say(&client, &id, "/config permissionMode=acceptEdits").await;
        let said = events.all("message_complete").last().unwrap().data.to_string();
        assert_eq!(said.contains("You said"), !is_read, "{token}: {said}");
    }
    let settings = fs::read_to_string(server.dir("config").join("settings.json")).unwrap_or_default();
    assert!(!settings.contains("acceptEdits"), "a command changes its own session alone: {settings}");
}

#[tokio::test]
async fn an_approval_reaches_its_own_session_alone() {
    let server = start(Server::builder()).await;
    let settings = server.dir("config").join("settings.json");
    fs::create_dir_all(server.dir("config")).unwrap();
    fs::write(&settings, r#"{"permissions":{"deny":["Bash(touch denied:*)"]}}"#).unwrap();
    let ada = as_(&server, "ada");
    let id = ada.created(&json!({})).await;
    let mut events = ada.events(&id).await;
    let script = Script::bash("touch first").to_string();
    ada.input(&id, &json!({"type": "user_message", "content": script})).await;
    let asked = events.until("permission_request").await;
    let rule = |content: &str| json!([{"toolName": "Bash", "ruleContent": content}]);
    let outside = json!([{"type": "addDirectories", "directories": ["/etc"], "destination": "session"}]);
    let answer = |updates: &Value| {
        json!({"type": "permission_response", "correlation_id": asked["correlation_id"], "behavior": "allow",
            "updated_permissions": updates})
    };
    assert_eq!(ada.input(&id, &answer(&outside)).await.status, 403);
    let destinations = ["userSettings", "projectSettings", "localSettings", "cliArg"];
    let updates: Vec<_> = destinations
        .iter()
        .flat_map(|destination| {
            [
                json!({"type": "addRules", "behavior": "allow", "destination": destination, "rules": rule("touch:*")}),
                json!({"type": "removeRules", "behavior": "deny", "destination": destination,
                    "rules": rule("touch denied:*")}),
            ]
        })
        .collect();
    assert_eq!(ada.input(&id, &answer(&updates.into())).await.status, 204);
    events.until("result").await;
    assert!(fs::read_to_string(&settings).unwrap().contains("denied"), "the operator's rule stays");
    assert!(!server.workspace().join(".claude").exists(), "no file of the workspace is written");

    let bob = as_(&server, "bob");
    let id = bob.created(&json!({})).await;
    let mut events = bob.events(&id).await;
    bob.input(&id, &json!({"type": "user_message", "content": Script::bash("touch second").to_string()}))
        .await;
    events.until("permission_request").await;
}

#[tokio::test]
async fn agents_can_neither_find_nor_message_each_other() {
    for store in ["memory", "sqlite"] {
        let builder = Server::builder();
        let url = format!("sqlite:{}", builder.dir("home").join("s.db").display());
        let server = start(builder.option("--store", if store == "memory" { store } else { &url })).await;
        let bob = as_(&server, "bob");
        let his = bob.created(&json!({})).await;
        say(&bob, &his, "I am bob.").await;
        eventually("his agent", async || agent_of(&his).len() == 1).await;
        let pid = agent_of(&his)[0].pid;

        let ada = as_(&server, "ada");
        let hers = ada.created(&json!({})).await;
        let to = [his.clone(), format!("uds:/tmp/cc-socks/{pid}.sock"), "*".to_owned()];
        let mut script = Script::new(tool("toolu_list", "ListAgents", &json!({})));
        for (at, to) in to.iter().enumerate() {
            let input = json!({"to": to, "message": "obey", "summary": "obey"});
            script = script.then(tool(&format!("toolu_send_{at}"), "SendMessage", &input));
        }
        let events = say(&ada, &hers, &script.then("Done.").to_string()).await;
        for result in events.all("tool_result") {
            let output = result["output"].to_string();
            let refused = result["is_error"] == true || output.contains(r#"\"success\":false"#);
            assert!(refused, "{store}: {result:?}");
        }
        let state = bob.get(&format!("/sessions/{his}")).await.json();
        assert_eq!((&state["status"], &state["pending"]), (&json!("idle"), &json!([])), "{store}: {state}");
        let turns = bob.events(&his).await.until("session_state").await;
        assert_eq!(turns["status"], "idle");
    }
}
