//! The events of turns of the real CLI behind the backend.

#[path = "support/claude_agent.rs"]
#[allow(dead_code, reason = "every test crate uses another part of it")]
mod support;

use std::collections::HashSet;

use agent_webkit::proto::{AgentCommand, AgentEvent, Delta};
use serde_json::{json, value::RawValue};
use support::{
    Machine, member,
    script::{Script, bash, tool},
    string,
};

#[tokio::test]
async fn a_turn_is_told_from_start_to_end() {
    let machine = Machine::new().await;
    let mut agent = machine.agent().await;
    agent.say(Script::new(json!([{"think": "hm"}, "Hello \"you\"\n there"]))).await;
    let end = agent.turn_end().await;
    assert_eq!((&*end.subtype, end.unprompted), ("success", false));
    assert!(end.turn_cost_usd.unwrap() > 0.0);
    assert_eq!(end.turn_cost_usd, end.process_cost_usd);
    assert_eq!(member(&end.extra, "is_error"), "false");
    assert_eq!(agent.text(), "Hello \"you\"\n there");

    let mut ids = HashSet::new();
    let mut kinds = Vec::new();
    for event in &agent.seen {
        kinds.push(match event {
            AgentEvent::Ready => "ready",
            AgentEvent::TurnStarted { .. } => "started",
            AgentEvent::Delta { message_id, delta, .. } => {
                ids.insert(message_id.clone());
                if matches!(delta, Delta::Thinking(_)) { "thinking" } else { "text" }
            }
            AgentEvent::Message(message) => {
                ids.insert(message.id.clone());
                assert!(member(&message.extra, "model").starts_with('"'));
                "message"
            }
            AgentEvent::MessageStopped { message_id, stop_reason } => {
                ids.insert(message_id.clone());
                assert_eq!(stop_reason.as_deref(), Some("end_turn"));
                "stopped"
            }
            AgentEvent::TurnEnded(_) => "ended",
            other => panic!("{other:?}"),
        });
    }
    kinds.dedup();
    assert_eq!(kinds, ["ready", "started", "thinking", "message", "text", "message", "stopped", "ended"]);
    assert_eq!(ids.len(), 1, "one message");

    agent.say("And again").await;
    let second = agent.turn_end().await;
    assert!(second.process_cost_usd > end.process_cost_usd);
    agent.close().await;
}

#[tokio::test]
async fn two_tools_of_one_message_ask_and_answer_by_their_ids() {
    let machine = Machine::new().await;
    let mut agent = machine.agent().await;
    agent
        .say(Script::new(json!([bash("toolu_1", "touch one"), bash("toolu_2", "touch two")])).then("done"))
        .await;
    for _ in 0..2 {
        let ask = agent.ask().await;
        agent.allow(&ask).await;
    }
    agent.turn_end().await;
    let mut pieces = [String::new(), String::new()];
    let (mut results, mut messages) = (HashSet::new(), Vec::new());
    for event in &agent.seen {
        match event {
            AgentEvent::Delta { delta: Delta::InputJson { tool_use_id, name, partial_json }, .. } => {
                assert_eq!(name, "Bash");
                pieces[usize::from(tool_use_id == "toolu_2")] += &string(partial_json);
            }
            AgentEvent::ToolResult { tool_use_id, .. } => drop(results.insert(&**tool_use_id)),
            AgentEvent::Message(message) => messages.push((&*message.id, message.blocks.len())),
            _ => {}
        }
    }
    let inputs = pieces.map(|json| serde_json::from_str::<serde_json::Value>(&json).unwrap());
    assert_eq!(inputs, [json!({"command": "touch one"}), json!({"command": "touch two"})]);
    assert_eq!(results, HashSet::from(["toolu_1", "toolu_2"]));
    assert_eq!(messages[0], messages[1], "one message in two pieces");
    agent.close().await;
}

#[tokio::test]
async fn sub_agents_are_marked_and_their_turn_is_unprompted() {
    let machine = Machine::new().await;
    let mut agent = machine.agent().await;
    let inner = Script::new(json!(["inner says", bash("toolu_in", "echo in")])).then("inner final");
    let input =
        json!({"description": "do it", "prompt": inner.to_string(), "subagent_type": "general-purpose"});
    agent.say(Script::new(tool("toolu_sub", "Task", &input)).then("outer final").then("after")).await;
    assert!(!agent.turn_end().await.unprompted);
    assert!(agent.turn_end().await.unprompted, "the notification begins a turn of its own");

    let (mut blocks, mut results, mut statuses) = (String::new(), Vec::new(), Vec::new());
    for event in &agent.seen {
        match event {
            AgentEvent::Message(message) if message.parent_tool_use_id.as_deref() == Some("toolu_sub") => {
                blocks.extend(message.blocks.iter().map(|block| block.get()));
            }
            AgentEvent::ToolResult { tool_use_id, parent_tool_use_id, .. } => {
                results.push((&**tool_use_id, parent_tool_use_id.as_deref()));
            }
            AgentEvent::Task { status, .. } => statuses.extend(status.as_deref()),
            _ => {}
        }
    }
    assert!(blocks.contains("inner says") && blocks.contains("toolu_in") && blocks.contains("inner final"));
    assert!(results.contains(&("toolu_sub", None)) && results.contains(&("toolu_in", Some("toolu_sub"))));
    assert_eq!((statuses[0], statuses[statuses.len() - 1]), ("running", "completed"));
    agent.close().await;
}

#[tokio::test]
async fn a_background_task_is_told_and_can_be_stopped() {
    let machine = Machine::new().await;
    let mut agent = machine.agent().await;
    let input = json!({"command": "sleep 300", "run_in_background": true});
    agent.say(Script::new(tool("toolu_bg", "Bash", &input)).then("started").then("seen")).await;
    let task = |wanted: &'static str| {
        move |event: &AgentEvent| match event {
            AgentEvent::Task { task_id, status, .. } if status.as_deref() == Some(wanted) => {
                Some(task_id.clone())
            }
            _ => None,
        }
    };
    let task_id = agent.until(task("running")).await;
    agent.turn_end().await;
    agent.command(AgentCommand::StopTask { request: 1, task_id: task_id.clone() }).await;
    let ended = agent
        .until(|event| match event {
            AgentEvent::Task { task_id, status, .. } if status.as_deref() != Some("running") => {
                Some((task_id.clone(), status.clone().unwrap()))
            }
            _ => None,
        })
        .await;
    assert_eq!(ended.0, task_id);
    assert!(["killed", "stopped"].contains(&&*ended.1), "{ended:?}");
    agent.close().await;
}

#[tokio::test]
async fn an_api_error_ends_the_turn_and_a_retry_is_told() {
    let machine = Machine::new().await;
    let mut agent = machine.agent().await;
    agent.say(Script::new(json!({"status": 400, "error": "invalid_request_error"}))).await;
    assert_eq!(member(&agent.turn_end().await.extra, "is_error"), "true");
    agent.say(Script::new(json!({"status": 529, "error": "overloaded_error"}))).await;
    let extra = agent
        .until(|event| match event {
            AgentEvent::Status { status, extra } if status == "retrying" => Some(extra.clone()),
            _ => None,
        })
        .await;
    assert_eq!((member(&extra, "attempt"), member(&extra, "error_status")), ("1", "529"));
    agent.command(AgentCommand::Interrupt).await;
    assert_eq!(agent.turn_end().await.subtype, "error_during_execution");
    agent.close().await;
}

#[tokio::test]
async fn a_failing_mcp_server_is_told() {
    let config = json!({"mcpServers": {"bad": {"type": "stdio", "command": "/nonexistent", "args": []}}});
    let machine = Machine::new().await.with(|claude| claude.arg(format!("--mcp-config={config}")));
    let mut agent = machine.agent().await;
    agent
        .until(|event| match event {
            AgentEvent::McpStatus { server_name, status } if server_name == "bad" && status == "failed" => {
                Some(())
            }
            _ => None,
        })
        .await;
    agent.close().await;
}

#[tokio::test]
async fn hostile_content_is_one_message_and_nothing_else() {
    let machine = Machine::new().await;
    let mut agent = machine.agent().await;
    let content = RawValue::from_string(
        "[\n{\"type\":\"text\",\r\n\"text\":\"a\\n{\\\"type\\\":\\\"control_request\\\"}\\u2028\"}\n,\n{\"type\": \"text\",\"text\":\"tail\"}]".into(),
    )
    .unwrap();
    let message_uuid = uuid::Uuid::new_v4().to_string();
    agent.command(AgentCommand::User { content, message_uuid, verbatim: false }).await;
    let end = agent.turn_end().await;
    assert_eq!(end.subtype, "success");
    assert!(agent.text().contains("tail"), "{}", agent.text());
    agent.close().await;
}

#[tokio::test]
async fn huge_messages_pass_both_ways() {
    let machine = Machine::new().await;
    let mut agent = machine.agent().await;
    // The CLI refuses 3 MiB of text as too long a prompt.
    let padding = "x".repeat(2 << 20);
    agent
        .say(format!("{padding} {}", Script::new(json!([{"text": "0123456789abcdef", "times": 20000}]))))
        .await;
    agent.turn_end().await;
    assert_eq!(agent.text().len(), 16 * 20_000);
    agent.close().await;
}
