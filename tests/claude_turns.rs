//! Turns of the real CLI behind the backend: what is said, asked, answered and interrupted.

#[path = "support/claude_agent.rs"]
#[allow(dead_code, reason = "every test crate uses another part of it")]
mod support;

use std::collections::HashSet;

use agent_webkit::proto::{AgentCommand, AgentEvent, AskKind, Decision, Delta};
use serde_json::{
    json,
    value::{RawValue, to_raw_value},
};
use support::{
    Agent, Machine, member,
    script::{Script, bash, tool},
    string,
};

fn raw(json: &serde_json::Value) -> Box<RawValue> {
    to_raw_value(json).unwrap()
}

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
async fn permissions_are_asked_and_the_answer_counts() {
    let machine = Machine::new().await;
    let mut agent = machine.agent().await;
    agent
        .say(
            Script::new(bash("toolu_a", "touch a"))
                .then(bash("toolu_b", "touch b"))
                .then(bash("toolu_c", "touch c"))
                .then("done"),
        )
        .await;

    let ask = agent.ask().await;
    assert_eq!((ask.kind, &*ask.correlation_id, &*ask.name), (AskKind::Permission, "toolu_a", "Bash"));
    assert!(ask.input.get().contains("touch a"));
    assert!(member(&ask.context, "suggestions").starts_with('['));
    assert_eq!(member(&ask.context, "suggestions"), member(&ask.context, "permission_suggestions"));
    agent.allow(&ask).await;
    assert!(!agent.tool_result("toolu_a").await.1);

    let ask = agent.ask().await;
    let decision = Decision::Deny { message: Some("not\n\"today\"".into()), interrupt: false };
    agent.decide(&ask, decision).await;
    let (output, is_error) = agent.tool_result("toolu_b").await;
    assert!(is_error && output.contains(r#"not\n\"today\""#), "{output}");

    let ask = agent.ask().await;
    let edited = RawValue::from_string("{\n  \"command\":\r\n \"touch edited\"\n}".into()).unwrap();
    agent.decide(&ask, Decision::Allow { updated_input: Some(edited), updated_permissions: None }).await;
    agent.turn_end().await;

    let made = |name: &str| machine.workspace().join(name).exists();
    assert_eq!(["a", "b", "c", "edited"].map(made), [true, false, false, true]);
    agent.close().await;
}

#[tokio::test]
async fn a_denial_can_stop_the_turn() {
    let machine = Machine::new().await;
    let mut agent = machine.agent().await;
    agent.say(Script::new(bash("toolu_a", "touch a")).then("never said")).await;
    let ask = agent.ask().await;
    agent.decide(&ask, Decision::Deny { message: None, interrupt: true }).await;
    let end = agent.turn_end().await;
    assert_eq!(end.subtype, "error_during_execution");
    assert!(!agent.text().contains("never said"));
    agent.close().await;
}

#[tokio::test]
async fn a_question_is_answered_with_its_own_input_and_the_choice() {
    let machine = Machine::new().await;
    let mut agent = machine.agent().await;
    let questions = json!([{"question": "Which color?", "header": "Color", "multiSelect": false,
        "options": [{"label": "Red", "description": "r"}, {"label": "Blue", "description": "b"}]}]);
    let input = json!({"questions": questions});
    agent.say(Script::new(tool("toolu_q", "AskUserQuestion", &input)).then("done")).await;
    let ask = agent.ask().await;
    assert_eq!((ask.kind, &*ask.correlation_id), (AskKind::Question, "toolu_q"));
    let answered = json!({"questions": questions, "answers": {"Which color?": "Blue"}});
    agent
        .decide(&ask, Decision::Allow { updated_input: Some(raw(&answered)), updated_permissions: None })
        .await;
    let (output, _) = agent.tool_result("toolu_q").await;
    assert!(output.contains("Blue"), "{output}");
    agent.turn_end().await;
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
async fn a_hook_decides() {
    let hooks = json!({"PreToolUse": [{"matcher": "Bash", "hookCallbackIds": ["h0"]}]});
    let machine = Machine::new().await.with(|claude| claude.hooks(raw(&hooks)));
    let mut agent = machine.agent().await;
    agent.say(Script::new(bash("toolu_h", "touch h")).then("done")).await;
    let ask = agent.ask().await;
    assert_eq!((ask.kind, &*ask.name), (AskKind::Hook, "PreToolUse"));
    assert!(ask.input.get().contains("touch h"));
    let output = json!({"hookSpecificOutput": {"hookEventName": "PreToolUse", "permissionDecision": "deny",
        "permissionDecisionReason": "the hook says no"}});
    agent.decide(&ask, Decision::Hook(raw(&output))).await;
    let (output, is_error) = agent.tool_result("toolu_h").await;
    assert!(is_error && output.contains("the hook says no"), "{output}");
    agent.turn_end().await;
    agent.close().await;
}

async fn interrupted(agent: &mut Agent) {
    let end = agent.turn_end().await;
    assert_eq!((&*end.subtype, end.unprompted), ("error_during_execution", false), "{end:?}");
    agent.say("still there?").await;
    assert_eq!(agent.turn_end().await.subtype, "success");
}

#[tokio::test]
async fn an_interrupt_in_the_text_keeps_what_was_said() {
    let machine = Machine::new().await;
    let mut agent = machine.agent().await;
    agent.say(Script::slow(1000, 20)).await;
    agent.until(|event| matches!(event, AgentEvent::Delta { .. }).then_some(())).await;
    agent.command(AgentCommand::Interrupt).await;
    interrupted(&mut agent).await;
    let aborted = agent.seen.iter().any(
        |event| matches!(event, AgentEvent::Message(message) if member(&message.extra, "aborted") == "true"),
    );
    assert!(aborted, "the half message is told");
    agent.close().await;
}

#[tokio::test]
async fn an_interrupt_in_a_prompt_withdraws_it() {
    let machine = Machine::new().await;
    let mut agent = machine.agent().await;
    agent.say(Script::new(bash("toolu_p", "touch p")).then("never")).await;
    let ask = agent.ask().await;
    agent.command(AgentCommand::Interrupt).await;
    let withdrawn = agent
        .until(|event| match event {
            AgentEvent::Withdrawn { correlation_id } => Some(correlation_id.clone()),
            _ => None,
        })
        .await;
    assert_eq!(withdrawn, "toolu_p");
    agent.allow(&ask).await;
    interrupted(&mut agent).await;
    assert!(!machine.workspace().join("p").exists());
    agent.close().await;
}

#[tokio::test]
async fn an_interrupt_right_after_the_message_is_not_lost() {
    let machine = Machine::new().await;
    let mut agent = machine.agent().await;
    // Before the start-up is over, then at every moment in which the message waits in the CLI's queue.
    for pause in [0, 0, 1, 2, 1, 2, 3, 5] {
        agent.say(Script::slow(1000, 20)).await;
        tokio::time::sleep(std::time::Duration::from_millis(pause)).await;
        agent.command(AgentCommand::Interrupt).await;
        interrupted(&mut agent).await;
    }
    agent.close().await;
}

#[tokio::test]
async fn commands_are_answered_in_the_clis_words() {
    let machine = Machine::new().await;
    let mut agent = machine.agent().await;
    agent.command(AgentCommand::SetPermissionMode { request: 1, mode: "bogus".into() }).await;
    assert!(agent.answer().await.unwrap_err().contains("must be one of"));
    agent.command(AgentCommand::SetPermissionMode { request: 2, mode: "bypassPermissions".into() }).await;
    assert!(agent.answer().await.is_err());
    agent.command(AgentCommand::SetPermissionMode { request: 3, mode: "plan".into() }).await;
    assert_eq!(agent.answer().await, Ok(()));
    agent.command(AgentCommand::SetModel { request: 4, model: Some("claude-haiku-4-5".into()) }).await;
    assert_eq!(agent.answer().await, Ok(()));
    agent.say(Script::text("ECHO_MODEL")).await;
    let mode = agent
        .until(|event| match event {
            AgentEvent::TurnStarted { permission_mode } => Some(permission_mode.clone()),
            _ => None,
        })
        .await;
    assert_eq!(mode.as_deref(), Some("plan"));
    agent.turn_end().await;
    assert_eq!(agent.text(), "claude-haiku-4-5");
    agent.command(AgentCommand::SetModel { request: 5, model: None }).await;
    assert_eq!(agent.answer().await, Ok(()));
    agent.close().await;
}

#[tokio::test]
async fn bypass_is_there_if_the_operator_allows_it() {
    let machine = Machine::new().await.with(|claude| claude.allow_bypass(true).env("IS_SANDBOX", "1"));
    let mut spec = machine.spec();
    spec.permission_mode = Some("bypassPermissions".into());
    let mut agent = machine.start(spec).await;
    agent.say(Script::bash("touch made")).await;
    agent.turn_end().await;
    assert!(machine.workspace().join("made").exists());
    assert!(!agent.seen.iter().any(|event| matches!(event, AgentEvent::Ask(_))));
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
    interrupted(&mut agent).await;
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
    agent.command(AgentCommand::User { content, message_uuid }).await;
    let end = agent.turn_end().await;
    assert_eq!(end.subtype, "success");
    assert!(agent.text().contains("tail"), "{}", agent.text());
    agent.close().await;
}

#[tokio::test]
async fn huge_messages_pass_both_ways() {
    let machine = Machine::new().await;
    let mut agent = machine.agent().await;
    // The CLI itself finds 3 MiB of text too long a prompt.
    let padding = "x".repeat(2 << 20);
    agent
        .say(format!("{padding} {}", Script::new(json!([{"text": "0123456789abcdef", "times": 20000}]))))
        .await;
    agent.turn_end().await;
    assert_eq!(agent.text().len(), 16 * 20_000);
    agent.close().await;
}
