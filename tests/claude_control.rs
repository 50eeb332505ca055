//! Prompts, interrupts and commands with the real CLI behind the backend.

#[path = "support/claude_agent.rs"]
#[allow(dead_code, reason = "every test crate uses another part of it")]
mod support;

use agent_webkit::proto::{AgentCommand, AgentEvent, AskKind, Decision};
use serde_json::{
    json,
    value::{RawValue, to_raw_value},
};
use support::{
    Agent, Machine, member,
    script::{Script, bash, tool},
};

fn raw(json: &serde_json::Value) -> Box<RawValue> {
    to_raw_value(json).unwrap()
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
    // First during the start-up, then at different moments while the message waits in the CLI's queue.
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
async fn a_message_in_the_clis_own_queue_can_be_withdrawn() {
    let machine = Machine::new().await;
    let mut agent = machine.agent().await;
    let message = |text: String, message_uuid: &str| AgentCommand::User {
        content: raw(&json!(text)),
        message_uuid: message_uuid.to_owned(),
        verbatim: false,
    };
    let (running, queued) = ("82015afa-a03d-4d03-833e-793f9eaa3b59", "f7610726-eeaf-400b-be07-c91cd2569a96");
    agent.command(message(Script::slow(1000, 20).to_string(), running)).await;
    agent.until(|event| matches!(event, AgentEvent::Delta { .. }).then_some(())).await;
    agent.command(message("never".to_owned(), queued)).await;
    for (request, message_uuid, is_withdrawn) in [(1, running, false), (2, queued, true), (3, queued, false)]
    {
        let message_uuid = message_uuid.to_owned();
        agent.command(AgentCommand::CancelMessage { request, message_uuid }).await;
        assert_eq!(agent.answer().await.is_ok(), is_withdrawn, "{request}");
    }
    agent.command(AgentCommand::Interrupt).await;
    interrupted(&mut agent).await;
    let texts = agent.seen.iter().filter_map(|event| match event {
        AgentEvent::Message(message) => {
            Some(message.blocks.iter().map(|block| block.get()).collect::<String>())
        }
        _ => None,
    });
    assert!(!texts.collect::<String>().contains("never"));
    agent.close().await;
}
