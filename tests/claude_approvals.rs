//! Policies and hooks in this process, with the real CLI.
#![cfg(feature = "policies")]

#[path = "support/claude_agent.rs"]
#[allow(dead_code, reason = "every test crate uses another part of it")]
mod support;

use std::{
    collections::BTreeMap,
    convert::Infallible,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use agent_webkit::{
    approvals::{Ask, Rules, Verdict},
    claude::{Claude, HookCall, HookEvent, HookOutput, McpServer},
    proto::{AgentCommand, AgentEvent, AskKind, Decision},
};
use serde_json::{json, value::to_raw_value};
use support::{
    Agent, Machine,
    script::{Script, bash, tool},
};
use tokio::sync::mpsc;
use tower::{ServiceBuilder, service_fn};

/// What was told of the prompts: what policies decided, and what clients were asked.
fn told(agent: &Agent) -> Vec<String> {
    let told = agent.seen.iter().filter_map(|event| match event {
        AgentEvent::Decided { correlation_id, behavior } => Some(format!("{behavior} {correlation_id}")),
        AgentEvent::Ask(ask) => Some(format!("ask {}", ask.correlation_id)),
        _ => None,
    });
    told.collect()
}

#[tokio::test]
async fn a_policy_allows_denies_edits_and_passes_on() {
    let (heard, mut asks) = mpsc::unbounded_channel();
    let policy = service_fn(move |ask: Ask| {
        heard.send(ask.clone()).unwrap();
        let verdict = match ask.command() {
            Some("touch a") => Verdict::allow(),
            Some("touch b") => Verdict::Allow { input: Some(json!({"command": "touch \"b edited\""})) },
            Some("touch c") => Verdict::deny("not \"c\"\n"),
            _ => Verdict::Pass,
        };
        async { Ok::<_, Infallible>(verdict) }
    });
    let machine = Machine::new().await.with(|claude| claude.decide(policy));
    let mut spec = machine.spec();
    spec.owner = Some("ada".into());
    let session_id = spec.session_id.clone();
    let mut agent = machine.start(spec).await;
    let calls = ["a", "b", "c", "d"].map(|name| bash(&format!("toolu_{name}"), &format!("touch {name}")));
    let [a, b, c, d] = calls;
    agent.say(Script::new(a).then(b).then(c).then(d).then("done")).await;
    let (output, is_error) = agent.tool_result("toolu_c").await;
    assert!(is_error && output.contains(r#"not \"c\""#), "{output}");
    let ask = agent.ask().await;
    agent.allow(&ask).await;
    assert_eq!(agent.turn_end().await.subtype, "success");
    assert_eq!(told(&agent), ["allow toolu_a", "allow toolu_b", "deny toolu_c", "ask toolu_d"]);
    let made = |name: &str| machine.workspace().join(name).exists();
    assert_eq!(["a", "b", "b edited", "c", "d"].map(made), [true, false, true, false, true]);
    let ask = asks.recv().await.unwrap();
    assert_eq!((&*ask.session_id, &*ask.tool_name, &*ask.tool_use_id), (&*session_id, "Bash", "toolu_a"));
    assert_eq!(
        (ask.principal.as_deref(), &ask.cwd),
        (Some("ada"), &machine.workspace().canonicalize().unwrap())
    );
    agent.close().await;
}

#[tokio::test]
async fn a_policy_that_fails_hangs_or_panics_passes_on_to_people() {
    let broken = service_fn(|ask: Ask| async move {
        match ask.command() {
            Some("touch a") => Err(std::io::Error::other("broken")),
            Some("touch b") => std::future::pending().await,
            _ => panic!("a mistake"),
        }
    });
    let policy = ServiceBuilder::new().timeout(Duration::from_millis(50)).service(broken);
    let machine = Machine::new().await.with(|claude| claude.decide(policy));
    let mut agent = machine.agent().await;
    for name in ["a", "b", "c"] {
        agent.say(Script::new(bash("toolu_x", &format!("touch {name}"))).then("done")).await;
        let ask = agent.ask().await;
        agent.allow(&ask).await;
        agent.turn_end().await;
        assert!(machine.workspace().join(name).exists());
    }
    agent.close().await;
}

#[tokio::test]
async fn an_interrupt_while_a_policy_thinks_settles_everything() {
    let (heard, mut asks) = mpsc::unbounded_channel();
    let (answer, answers) = tokio::sync::watch::channel(false);
    let policy = service_fn(move |_: Ask| {
        heard.send(()).unwrap();
        let mut answers = answers.clone();
        async move {
            answers.wait_for(|go| *go).await.unwrap();
            Ok::<_, Infallible>(Verdict::Pass)
        }
    });
    let machine = Machine::new().await.with(|claude| claude.decide(policy));
    let mut agent = machine.agent().await;
    agent.say(Script::bash("touch a")).await;
    asks.recv().await.unwrap();
    agent.command(AgentCommand::Interrupt).await;
    agent.turn_end().await;
    answer.send(true).unwrap();
    agent.say("still there?").await;
    agent.turn_end().await;
    assert!(told(&agent).is_empty(), "{:?}", told(&agent));
    assert!(!agent.seen.iter().any(|event| matches!(event, AgentEvent::Withdrawn { .. })), "nobody knew it");
    agent.close().await;
}

#[tokio::test]
async fn a_policy_that_thinks_ends_with_its_agent() {
    /// Tells that it was dropped.
    struct Dropped(mpsc::UnboundedSender<&'static str>);

    impl Drop for Dropped {
        fn drop(&mut self) {
            let _ = self.0.send("dropped");
        }
    }

    let (heard, mut asks) = mpsc::unbounded_channel();
    let policy = service_fn(move |_: Ask| {
        heard.send("asked").unwrap();
        let dropped = Dropped(heard.clone());
        async move {
            let _dropped = dropped;
            std::future::pending::<Result<Verdict, Infallible>>().await
        }
    });
    let machine = Machine::new().await.with(|claude| claude.decide(policy));
    let mut agent = machine.agent().await;
    agent.say(Script::bash("touch a")).await;
    assert_eq!(asks.recv().await, Some("asked"));
    support::kill(machine.cli());
    agent.exited().await;
    assert_eq!(asks.recv().await, Some("dropped"));
}

#[tokio::test]
async fn a_prompt_that_people_know_is_left_to_them_when_it_is_asked_again() {
    let machine = Machine::new().await;
    let spec = machine.spec();
    let mut agent = machine.start(spec.clone()).await;
    agent.say(Script::bash("touch a")).await;
    agent.ask().await;
    agent.close().await;
    let deny = service_fn(async |_: Ask| Ok::<_, Infallible>(Verdict::deny("no")));
    let machine = machine.with(|claude| claude.decide(deny));
    let mut again = spec;
    again.resume = true;
    again.open_prompts = vec!["toolu_bash".into()];
    let mut agent = machine.start(again).await;
    let ask = agent.ask().await;
    agent.allow(&ask).await;
    agent.turn_end().await;
    assert!(machine.workspace().join("a").exists());
    agent.close().await;
}

#[tokio::test]
async fn rules_hold_whatever_the_mode_allows() {
    let rules = Rules::from_toml(
        r#"
        rule = [
            {effect = "deny", command = "rm *", message = "Nothing is deleted here."},
            {effect = "allow", command = "touch *"},
            {effect = "ask", path = "secret/**"},
            {effect = "allow", tool = "Write", path = "**"},
        ]"#,
    );
    let rules = rules.unwrap();
    let machine = Machine::new().await;
    std::fs::write(machine.workspace().join("kept"), "").unwrap();
    let machine = machine.with(|claude| claude.policy(rules).allow_bypass(true).env("IS_SANDBOX", "1"));
    for mode in ["default", "acceptEdits", "bypassPermissions"] {
        let mut spec = machine.spec();
        spec.permission_mode = Some(mode.into());
        let mut agent = machine.start(spec).await;
        let write = |id: &str, path: &str| {
            let path = machine.workspace().join(path);
            tool(id, "Write", &json!({"file_path": path, "content": mode}))
        };
        let script = Script::new(bash("toolu_touch", "touch a"))
            .then(bash("toolu_rm", "touch b && rm kept"))
            .then(write("toolu_open", &format!("{mode}.txt")))
            .then(write("toolu_secret", &format!("secret/{mode}.txt")));
        agent.say(script.then("done")).await;
        let (output, is_error) = agent.tool_result("toolu_rm").await;
        assert!(is_error && output.contains("Nothing is deleted here."), "{mode}: {output}");
        let ask = agent.ask().await;
        assert_eq!(ask.correlation_id, "toolu_secret", "{mode}");
        agent.decide(&ask, Decision::Deny { message: None, interrupt: false }).await;
        agent.turn_end().await;
        let told = told(&agent);
        assert!(told.contains(&"deny toolu_rm".to_owned()), "{mode}: {told:?}");
        assert!(machine.workspace().join("kept").exists(), "{mode}");
        assert!(machine.workspace().join(format!("{mode}.txt")).exists(), "{mode}");
        assert!(!machine.workspace().join("secret").exists(), "{mode}");
        agent.close().await;
    }
}

#[tokio::test]
async fn a_hook_decides_in_code_or_leaves_it_to_clients() {
    let hook = service_fn(async |call: HookCall| {
        let output = match call.input["tool_input"]["command"].as_str() {
            Some("touch a") => HookOutput::json(json!({"hookSpecificOutput": {"hookEventName": "PreToolUse",
                "permissionDecision": "deny", "permissionDecisionReason": "the code says no"}})),
            Some("touch b") => HookOutput::ask_clients(),
            Some("touch c") => return Err(std::io::Error::other("broken")),
            _ => panic!("a mistake"),
        };
        Ok(output)
    });
    let clients =
        to_raw_value(&json!({"PostToolUse": [{"matcher": "Bash", "hookCallbackIds": ["h0"]}]})).unwrap();
    let machine = Machine::new()
        .await
        .with(|claude| claude.hooks(clients).hook(HookEvent::PreToolUse, Some("Bash"), hook));
    let mut agent = machine.agent().await;
    let calls = ["a", "b", "c", "d"].map(|name| bash(&format!("toolu_{name}"), &format!("touch {name}")));
    let [a, b, c, d] = calls;
    agent.say(Script::new(a).then(b).then(c).then(d).then("done")).await;
    let (output, is_error) = agent.tool_result("toolu_a").await;
    assert!(is_error && output.contains("the code says no"), "{output}");

    let ask = agent.ask().await;
    assert_eq!((ask.kind, &*ask.name), (AskKind::Hook, "PreToolUse"));
    assert!(ask.input.get().contains("touch b"));
    let allow = json!({"hookSpecificOutput": {"hookEventName": "PreToolUse", "permissionDecision": "allow"}});
    agent.decide(&ask, Decision::Hook(to_raw_value(&allow).unwrap())).await;
    // The hook that clients answer, beside the one in code.
    let ask = agent.ask().await;
    assert_eq!((ask.kind, &*ask.name), (AskKind::Hook, "PostToolUse"));
    agent.decide(&ask, Decision::Hook(to_raw_value(&json!({})).unwrap())).await;

    for name in ["c", "d"] {
        let ask = agent.ask().await;
        assert_eq!((ask.kind, &*ask.correlation_id), (AskKind::Permission, &*format!("toolu_{name}")));
        agent.allow(&ask).await;
        let ask = agent.ask().await;
        agent.decide(&ask, Decision::Hook(to_raw_value(&json!({})).unwrap())).await;
    }
    agent.turn_end().await;
    agent.close().await;
}

/// Those that a session without a terminal has not reached here: `Setup` comes with an option of the CLI's command line,
/// `TeammateIdle` with teams, `PermissionDenied` with a model that decides; the tools for tasks are off; for the others, a
/// change of the model, `cd`, a watched file and an added directory were tried in vain.
const NOT_REACHED: [HookEvent; 10] = [
    HookEvent::PreModelSwitch,
    HookEvent::PostModelSwitch,
    HookEvent::PermissionDenied,
    HookEvent::Setup,
    HookEvent::TeammateIdle,
    HookEvent::TaskCreated,
    HookEvent::TaskCompleted,
    HookEvent::CwdChanged,
    HookEvent::FileChanged,
    HookEvent::DirectoryAdded,
];

type Calls = Arc<Mutex<Vec<HookEvent>>>;

/// Hooks for all events, which note their calls. The one that is asked for a worktree says where it is.
fn hooks_of_all(claude: Claude, calls: &Calls, worktree: &Path) -> Claude {
    HookEvent::ALL.iter().fold(claude, |claude, event| {
        let (calls, worktree) = (
            Arc::clone(calls),
            json!({"hookSpecificOutput": {
                "hookEventName": "WorktreeCreate", "worktreePath": worktree,
            }}),
        );
        let hook = service_fn(move |call: HookCall| {
            assert_eq!(call.input["hook_event_name"], call.event.as_str());
            calls.lock().unwrap().push(call.event);
            let output = match call.event {
                HookEvent::WorktreeCreate => HookOutput::json(worktree.clone()),
                _ => HookOutput::nothing(),
            };
            async { Ok::<_, Infallible>(output) }
        });
        claude.hook(*event, None, hook)
    })
}

/// Messages that lead to as many events as a session without a terminal has.
fn eventful(workspace: &Path) -> Vec<String> {
    std::fs::write(workspace.join("CLAUDE.md"), "Be brief.").unwrap();
    std::fs::create_dir_all(workspace.join(".claude/commands")).unwrap();
    std::fs::write(workspace.join(".claude/commands/hello.md"), "Say hello.").unwrap();
    let with_shell = "---\nallowed-tools: Bash(ls:*)\n---\nHere: !`ls`";
    std::fs::write(workspace.join(".claude/commands/listing.md"), with_shell).unwrap();

    let sub = Script::text("sub").to_string();
    let sub = json!({"description": "d", "prompt": sub, "subagent_type": "general-purpose"});
    let read = json!({"file_path": workspace.join("CLAUDE.md")});
    let leave = json!({"action": "remove", "discard_changes": true});
    let configure = "echo '{}' > .claude/settings.json";
    vec![
        Script::new(bash("toolu_a", "touch a")).then(bash("toolu_b", "false")).then("done").to_string(),
        Script::new(tool("toolu_r", "Read", &read)).then("done").to_string(),
        Script::new(bash("toolu_c", configure)).then("done").to_string(),
        Script::new(tool("toolu_w", "EnterWorktree", &json!({"name": "w"})))
            .then(tool("toolu_x", "ExitWorktree", &leave))
            .then("done")
            .to_string(),
        Script::new(tool("toolu_m", "mcp__asks__ask", &json!({}))).then("done").to_string(),
        Script::new(tool("toolu_s", "Agent", &sub)).then("done").to_string(),
        "/hello".to_owned(),
        "/listing".to_owned(),
        "/compact".to_owned(),
        "/clear".to_owned(),
        Script::new(json!({"status": 400, "error": "invalid_request_error"})).to_string(),
    ]
}

#[tokio::test]
async fn hooks_of_all_events_are_called() {
    let (calls, machine) = (Calls::default(), Machine::new().await);
    let said = eventful(&machine.workspace());
    let worktree = machine.workspace().join("worktree");
    std::fs::create_dir(&worktree).unwrap();
    let asks = McpServer::Stdio {
        command: "python3".into(),
        args: vec![concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/eliciting_mcp_server.py").into()],
        env: BTreeMap::new(),
    };
    let machine = machine.with(|claude| {
        hooks_of_all(claude, &calls, &worktree).options(|options| options.mcp_server("asks", asks))
    });
    let mut agent = machine.agent().await;
    for said in said {
        agent.say(said).await;
        loop {
            let ended = agent
                .until(|event| match event {
                    AgentEvent::Ask(ask) => Some(Some(ask.clone())),
                    AgentEvent::TurnEnded(_) => Some(None),
                    _ => None,
                })
                .await;
            match ended {
                Some(ask) if ask.kind == AskKind::Elicitation => {
                    let declined = to_raw_value(&json!({"action": "decline"})).unwrap();
                    agent.decide(&ask, Decision::Elicitation(declined)).await;
                }
                Some(ask) => agent.allow(&ask).await,
                None => break,
            }
        }
    }
    let called = |event: &HookEvent| calls.lock().unwrap().contains(event);
    // The sub-agent's end has made a further turn, so the last message is not at the last end of a turn. The change of the
    // settings is seen when the CLI looks at them again.
    while !(called(&HookEvent::StopFailure) && called(&HookEvent::ConfigChange)) {
        tokio::select! {
            _ = agent.turn_end() => {}
            () = tokio::time::sleep(Duration::from_millis(50)) => {}
        }
    }
    agent.close().await;
    let mut others = HookEvent::ALL.iter().filter(|event| !NOT_REACHED.contains(event));
    assert_eq!(others.find(|event| !called(event)), None, "was not called");
}
