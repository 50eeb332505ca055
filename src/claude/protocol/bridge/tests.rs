use serde_json::{Value, json};

use super::*;

struct Cli {
    bridge: Bridge,
}

impl Cli {
    /// A CLI whose handshake is complete.
    fn ready() -> Self {
        let mut cli = Self { bridge: Bridge::new(None, &Permissions::default(), AskAgain::default()) };
        let asked = cli.told();
        assert_eq!(asked[0]["request"], json!({"subtype": "initialize", "hooks": null}));
        cli.answers(&asked[0], &json!({"commands": []}));
        assert!(matches!(cli.bridge.events().pop_front(), Some(AgentEvent::Ready)));
        assert_eq!(cli.told()[0]["request"]["subtype"], "mcp_status");
        cli
    }

    fn writes(&mut self, frame: &Value) {
        self.bridge.handle_line(frame.to_string().as_bytes());
    }

    fn answers(&mut self, request: &Value, response: &Value) {
        let id = &request["request_id"];
        self.writes(&json!({"type": "control_response", "response":
            {"subtype": "success", "request_id": id, "response": response}}));
    }

    fn refuses(&mut self, request: &Value, words: &str) {
        let id = &request["request_id"];
        self.writes(&json!({"type": "control_response", "response":
            {"subtype": "error", "request_id": id, "error": words}}));
    }

    /// The frames written to the CLI since the last call.
    fn told(&mut self) -> Vec<Value> {
        let out = mem::take(self.bridge.outbox());
        out.rest()
            .split_inclusive(|byte| *byte == b'\n')
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }

    fn events(&mut self) -> Vec<AgentEvent> {
        self.bridge.events().drain(..).collect()
    }

    fn says(&mut self, uuid: &str) {
        let content = RawValue::from_string("\"hi\"".to_owned()).unwrap();
        self.bridge.handle_command(AgentCommand::User {
            content,
            message_uuid: uuid.to_owned(),
            verbatim: false,
        });
        assert_eq!(
            self.told(),
            [json!({"type": "user", "uuid": uuid, "message":
            {"role": "user", "content": "hi"}})]
        );
    }

    fn asks(&mut self, request_id: &str) {
        self.writes(&json!({"type": "control_request", "request_id": request_id, "request":
            {"subtype": "can_use_tool", "tool_name": "Bash", "input": {"command": "touch q"}, "tool_use_id": "toolu_p"}}));
        let events = self.events();
        assert!(
            matches!(&events[..], [AgentEvent::Ask(ask)] if ask.correlation_id == "toolu_p"),
            "{events:?}"
        );
    }

    fn allows(&mut self, correlation_id: &str) -> Vec<Value> {
        let decision = Decision::Allow { updated_input: None, updated_permissions: None };
        self.bridge
            .handle_command(AgentCommand::Decide { correlation_id: correlation_id.to_owned(), decision });
        self.told()
    }

    fn unprompted(&mut self) -> bool {
        match &self.events()[..] {
            [AgentEvent::TurnEnded(end)] => end.unprompted,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_first_turn_is_rehearsed_only_while_no_message_waits() {
    let rehearsed = |waits: bool| {
        let mut cli = Cli { bridge: Bridge::new(None, &Permissions::default(), AskAgain::default()) };
        let initialize = cli.told().remove(0);
        if waits {
            cli.says("u1");
        }
        cli.answers(&initialize, &json!({}));
        let rehearsal = json!({"subtype": "get_context_usage", "detail": "summary"});
        let asked = cli.told().into_iter().find(|told| told["request"] == rehearsal)?;
        cli.events();
        cli.refuses(&asked, "unsupported");
        assert!(cli.events().is_empty(), "one that does not know it is as good");
        Some(())
    };
    assert!(rehearsed(false).is_some() && rehearsed(true).is_none());
}

#[test]
fn a_refused_handshake_is_the_end_of_it() {
    let mut cli = Cli { bridge: Bridge::new(None, &Permissions::default(), AskAgain::default()) };
    let asked = cli.told();
    cli.refuses(&asked[0], "no account");
    assert_eq!(cli.bridge.stage(), Stage::Failed);
    assert!(
        matches!(&cli.events()[..], [AgentEvent::Error { message, .. }] if message.contains("no account"))
    );
}

#[test]
fn a_prompt_is_answered_once_with_its_own_input() {
    let mut cli = Cli::ready();
    cli.asks("q1");
    assert_eq!(
        cli.allows("toolu_p"),
        [json!({"type": "control_response", "response":
        {"subtype": "success", "request_id": "q1", "response":
            {"behavior": "allow", "updatedInput": {"command": "touch q"}}}})]
    );
    assert!(cli.allows("toolu_p").is_empty());
}

#[test]
fn a_denial_that_ends_the_turn_ends_more_than_the_sub_agent_that_asked() {
    let deny = |interrupt| Decision::Deny { message: None, interrupt };
    for (agent, interrupt, told) in [("a1", true, 2), ("a1", false, 1), ("", true, 1)] {
        let mut cli = Cli::ready();
        let mut request =
            json!({"subtype": "can_use_tool", "tool_name": "Bash", "input": {}, "tool_use_id": "toolu_p"});
        if !agent.is_empty() {
            request["agent_id"] = agent.into();
        }
        cli.writes(&json!({"type": "control_request", "request_id": "q1", "request": request}));
        let (correlation_id, decision) = ("toolu_p".to_owned(), deny(interrupt));
        cli.bridge.handle_command(AgentCommand::Decide { correlation_id, decision });
        let frames = cli.told();
        assert_eq!(frames.len(), told, "{agent} {interrupt}: {frames:?}");
        assert_eq!(frames[0]["response"]["response"]["behavior"], "deny");
        assert!(frames[1..].iter().all(|frame| frame["request"]["subtype"] == "interrupt"));
    }
}

#[test]
fn a_withdrawn_prompt_is_never_answered() {
    let mut cli = Cli::ready();
    cli.asks("q1");
    cli.writes(&json!({"type": "control_cancel_request", "request_id": "q1"}));
    assert!(
        matches!(&cli.events()[..], [AgentEvent::Withdrawn { correlation_id }] if correlation_id == "toolu_p")
    );
    assert!(cli.allows("toolu_p").is_empty());
}

#[test]
fn a_hook_is_asked_by_its_event() {
    let mut cli = Cli::ready();
    cli.writes(&json!({"type": "control_request", "request_id": "h", "request": {"subtype": "hook_callback",
        "callback_id": "h0", "input": {"hook_event_name": "PreToolUse", "tool_name": "Bash"}, "tool_use_id": "t"}}));
    let events = cli.events();
    let [AgentEvent::Ask(ask)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((&*ask.correlation_id, &*ask.name), ("h", "PreToolUse"));
    let decision = Decision::Hook(RawValue::from_string("{}".to_owned()).unwrap());
    cli.bridge.handle_command(AgentCommand::Decide { correlation_id: "h".to_owned(), decision });
    assert_eq!(cli.told()[0]["response"]["response"], json!({}));
}

#[test]
fn what_we_do_not_know_is_refused_not_ignored() {
    let mut cli = Cli::ready();
    for subtype in ["mcp_message", "from_the_future"] {
        let request = json!({"subtype": subtype, "server_name": "x"});
        cli.writes(&json!({"type": "control_request", "request_id": "q", "request": request}));
        let told = cli.told();
        assert_eq!(
            (&told[0]["response"]["subtype"], &told[0]["response"]["request_id"]),
            (&json!("error"), &json!("q"))
        );
    }
    assert!(cli.events().is_empty());
}

#[test]
fn lines_that_are_no_frames_change_nothing() {
    let mut cli = Cli::ready();
    for line in [&b"{"[..], b"{}", b"{\"type\":7}", b"{\"type\":\"user\"", b"{\"type\":\"\xff\"}"] {
        cli.bridge.handle_line(line);
    }
    cli.writes(&json!({"type": "assistant", "message": 7}));
    cli.writes(&json!({"type": "stream_event", "event": "x"}));
    cli.writes(&json!({"type": "from_the_future"}));
    assert!(cli.events().is_empty() && cli.told().is_empty());
}

#[test]
fn a_turn_of_the_clis_own_that_took_our_message_in_is_ours() {
    let mut cli = Cli::ready();
    let origin = json!({"kind": "task-notification"});
    cli.says("u1");
    cli.writes(&json!({"type": "result", "subtype": "success", "origin": origin}));
    assert!(cli.unprompted() && cli.bridge.in_turn(), "our message still waits for its turn");
    cli.writes(
        &json!({"type": "result", "subtype": "success", "origin": origin, "user_message_uuids": ["u1"]}),
    );
    assert!(!cli.unprompted() && !cli.bridge.in_turn());
}

#[test]
fn an_interrupt_that_passed_a_queued_message_by_is_repeated_when_it_starts() {
    let mut cli = Cli::ready();
    cli.says("u1");
    cli.bridge.handle_command(AgentCommand::Interrupt);
    let interrupt = cli.told().remove(0);
    assert_eq!(interrupt["request"]["subtype"], "interrupt");
    cli.answers(&interrupt, &json!({"still_queued": ["u1"]}));
    assert!(cli.told().is_empty(), "it is not running yet");
    let started = json!({"type": "command_lifecycle", "command_uuid": "u1", "state": "started"});
    cli.writes(&started);
    let again = cli.told().remove(0);
    assert_eq!(again["request"]["subtype"], "interrupt");
    cli.answers(&again, &json!({"still_queued": []}));
    cli.writes(&started);
    assert!(cli.told().is_empty(), "once is enough");
}

#[test]
fn an_interrupt_answered_after_the_message_started_is_repeated_at_once() {
    let mut cli = Cli::ready();
    cli.says("u1");
    cli.bridge.handle_command(AgentCommand::Interrupt);
    let interrupt = cli.told().remove(0);
    cli.writes(&json!({"type": "command_lifecycle", "command_uuid": "u1", "state": "started"}));
    cli.answers(&interrupt, &json!({"still_queued": ["u1"]}));
    assert_eq!(cli.told()[0]["request"]["subtype"], "interrupt");
}

#[test]
fn commands_are_answered_in_the_clis_words_or_at_its_end() {
    let mut cli = Cli::ready();
    cli.bridge.handle_command(AgentCommand::SetPermissionMode { request: 3, mode: "bogus".to_owned() });
    cli.bridge.handle_command(AgentCommand::SetModel { request: 4, model: None });
    cli.bridge.handle_command(AgentCommand::StopTask { request: 5, task_id: "b".to_owned() });
    let told = cli.told();
    cli.refuses(&told[0], "must be one of …");
    cli.answers(&told[1], &json!({"model": "m"}));
    cli.bridge.handle_end();
    let outcomes: Vec<_> = cli
        .events()
        .into_iter()
        .map(|event| match event {
            AgentEvent::Answer { request, outcome } => (request, outcome.err()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        outcomes,
        [
            (3, Some("must be one of …".to_owned())),
            (4, None),
            (5, Some("the agent ended before it answered".to_owned()))
        ]
    );
}

#[test]
fn mcp_servers_are_told_and_asked_after_while_they_connect() {
    let mut cli = Cli::ready();
    cli.writes(&json!({"type": "system", "subtype": "init", "permissionMode": "plan",
        "mcp_servers": [{"name": "a", "status": "pending"}]}));
    let events = cli.events();
    assert!(matches!(&events[0], AgentEvent::TurnStarted { permission_mode: Some(mode) } if mode == "plan"));
    assert!(matches!(&events[1], AgentEvent::McpStatus { status, .. } if status == "pending"));
    assert!(cli.bridge.mcp_pending());
    cli.bridge.ask_mcp_status();
    let asked = cli.told().remove(0);
    cli.answers(&asked, &json!({"mcpServers": [{"name": "a", "status": "failed", "error": "ENOENT"}]}));
    assert!(matches!(&cli.events()[..], [AgentEvent::McpStatus { status, .. }] if status == "failed"));
    assert!(!cli.bridge.mcp_pending());
}

#[test]
fn a_wakeup_that_comes_is_a_turn() {
    let mut cli = Cli::ready();
    cli.writes(&json!({"type": "assistant", "parent_tool_use_id": null, "message": {"id": "m", "content":
        [{"type": "tool_use", "id": "t", "name": "ScheduleWakeup", "input": {"delaySeconds": 60, "prompt": "look"}}]}}));
    cli.writes(&json!({"type": "user", "message": {"role": "user", "content":
        [{"type": "tool_result", "tool_use_id": "t", "content": "ok"}]}, "tool_use_result": {"scheduledFor": 7}}));
    assert!(cli.events().iter().any(|event| matches!(event, AgentEvent::WakeupSet(Wakeup { at_ms: 7, .. }))));
    cli.writes(&json!({"type": "command_lifecycle", "command_uuid": "u", "state": "started",
        "wakeup_source": "loop_wakeup", "scheduled_for": 7}));
    let events = cli.events();
    assert!(
        matches!(&events[..], [AgentEvent::TurnStarted { .. }, AgentEvent::WakeupGone { .. }]),
        "there is no moment without either: {events:?}"
    );
}

#[test]
fn an_agent_that_does_not_plan_again_says_so() {
    let mut cli =
        Cli { bridge: Bridge::new(None, &Permissions::default(), AskAgain::default()).with_plan_mode() };
    let asked = cli.told();
    cli.answers(&asked[0], &json!({"commands": []}));
    let plan = asked.iter().find(|frame| frame["request"]["subtype"] == "set_permission_mode").unwrap();
    assert_eq!(plan["request"]["mode"], "plan");
    cli.events();
    cli.refuses(plan, "no");
    let events = cli.events();
    assert!(matches!(&events[..], [AgentEvent::Error { code, .. }] if code == "mode_lost"), "{events:?}");
}
