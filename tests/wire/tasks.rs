//! Sub-agents, background tasks and MCP servers.

use serde_json::json;

use crate::support::{Script, Server, tool};

#[tokio::test]
async fn what_a_sub_agent_says_is_marked() {
    let server = Server::start().await;
    let mut session = server.session().await;
    let inner = format!("Look. {}", Script::text("inner"));
    let input = json!({"description": "look", "prompt": inner, "subagent_type": "general-purpose"});
    session.say(Script::new(tool("toolu_sub", "Task", &input)).then("outer")).await;
    let started = session.until("task_update").await;
    assert_eq!((&started["tool_use_id"], &started["status"]), (&json!("toolu_sub"), &json!("running")));
    session
        .events
        .until_where("the end of the task", |frame| {
            frame.event == "task_update"
                && frame["task_id"] == started["task_id"]
                && frame["status"] == "completed"
        })
        .await;
    // The agent reads the result in a turn that it begins by itself.
    session.until("result").await;

    let said = |text: &str| {
        let mut messages = session.events.all("message_complete");
        messages
            .find(|frame| frame["message"]["content"][0]["text"] == text)
            .unwrap_or_else(|| panic!("nobody said {text}"))
    };
    assert_eq!(said("inner")["parent_tool_use_id"], "toolu_sub");
    assert!(said("outer")["parent_tool_use_id"].is_null());
    session.close().await;
}

/// Denies what a sub-agent asks for, so that the turn ends; gives what the agent itself said.
async fn said_after_the_denial(in_background: bool) -> Vec<String> {
    let server = Server::start().await;
    let mut session = server.session().await;
    let inner = format!("Look. {}", Script::bash("touch made"));
    let input = json!({"description": "look", "prompt": inner, "subagent_type": "general-purpose",
                       "run_in_background": in_background});
    let outer = Script::new(tool("toolu_sub", "Task", &input)).then("outer 1").then("outer 2");
    session.say(outer).await;
    let request = session.until("permission_request").await;
    let id = request.str("correlation_id");
    let answer = json!({"type": "permission_response", "correlation_id": id, "behavior": "deny",
                        "message": "Stop.", "interrupt": true});
    session.put(&answer).await;
    if session.events.all("result").next().is_none() {
        session.until("result").await;
    }
    session.turn(Script::text("after")).await;
    assert!(!server.workspace().join("made").exists());
    let own = session.events.all("message_complete").filter(|frame| frame["parent_tool_use_id"].is_null());
    let text = own.filter_map(|frame| frame["message"]["content"][0]["text"].as_str().map(str::to_owned));
    let said = text.collect();
    session.close().await;
    said
}

#[tokio::test]
async fn a_denial_in_a_sub_agent_can_end_the_turn() {
    assert_eq!(said_after_the_denial(false).await, ["after"]);
}

#[tokio::test]
async fn a_denial_in_a_background_sub_agent_begins_no_turn() {
    let said = said_after_the_denial(true).await;
    assert!(said.iter().all(|text| text != "outer 2"), "{said:?}");
    assert_eq!(said.last().unwrap(), "after");
}

#[tokio::test]
async fn a_background_task_is_told_and_can_be_stopped() {
    let server = Server::start().await;
    let mut session = server.session().await;
    let input = json!({"command": "sleep 3600", "run_in_background": true});
    session.say(Script::new(tool("toolu_task", "Bash", &input)).then("started")).await;
    let started = session.until("task_update").await;
    assert_eq!(started["status"], "running");
    assert_eq!(started["tool_use_id"], "toolu_task");
    session.until("result").await;

    let task_id = started.str("task_id").to_owned();
    session.put(&json!({"type": "stop_task", "task_id": task_id})).await;
    let stopped = session
        .events
        .until_where("the end of the task", |frame| {
            frame.event == "task_update" && frame["status"] != "running"
        })
        .await;
    assert_eq!(stopped["task_id"], task_id.as_str());
    assert!(["stopped", "killed"].contains(&stopped.str("status")), "{stopped:?}");
    session.close().await;
}

#[tokio::test]
async fn an_mcp_server_that_fails_is_told() {
    let builder = Server::builder();
    let settings =
        json!({"mcpServers": {"broken": {"type": "stdio", "command": "/nonexistent/server", "args": []}}});
    std::fs::write(builder.dir("config").join(".claude.json"), settings.to_string()).unwrap();
    let server = builder.start().await;
    let mut session = server.session().await;
    session.say("hello").await;
    let told = session
        .events
        .until_where("the failure", |frame| frame.event == "mcp_status_change" && frame["status"] == "failed")
        .await;
    assert_eq!(told["server_name"], "broken");
    session.close().await;
}
