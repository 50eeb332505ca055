//! The options of the backend, each by its effect on the real CLI.

#[path = "support/claude_agent.rs"]
#[allow(dead_code, reason = "every test crate uses another part of it")]
mod support;

use std::fs;

use agent_webkit::{
    claude::{AgentDefinition, McpServer, Options, SettingSource},
    proto::TurnEnd,
};
use serde_json::{Map, Value, json};
use support::{
    Agent, Machine, member,
    script::{Script, bash, tool},
};

/// An agent with these options.
async fn with(set: impl FnOnce(Options) -> Options) -> (Machine, Agent) {
    let machine = Machine::new().await.with(|claude| claude.options(set));
    let agent = machine.agent().await;
    (machine, agent)
}

/// The text of a turn that answers with what the model saw.
async fn echo(agent: &mut Agent, what: &str) -> String {
    let before = agent.text().len();
    agent.say(Script::text(what)).await;
    agent.turn_end().await;
    agent.text()[before..].to_owned()
}

async fn run(agent: &mut Agent, script: Script) -> TurnEnd {
    agent.say(script).await;
    agent.turn_end().await
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

#[tokio::test]
async fn the_system_prompt_is_replaced_or_continued() {
    // Longer than an argument of a command line may be.
    let long = format!("You are a pirate. {} The end.", "Arr! ".repeat(30_000));
    let (_machine, mut agent) = with(|options| options.system_prompt(&long)).await;
    let seen = echo(&mut agent, "ECHO_SYSTEM").await;
    assert!(seen.contains("You are a pirate.") && seen.contains("Arr!") && !seen.contains("Claude Code"));
    agent.close().await;

    let (_machine, mut agent) = with(|options| options.append_system_prompt("Answer in rhymes.")).await;
    let seen = echo(&mut agent, "ECHO_SYSTEM").await;
    assert!(seen.trim_end().ends_with("Answer in rhymes.") && seen.len() > 2000, "{seen}");
    agent.close().await;
}

#[tokio::test]
async fn tools_are_those_of_the_list() {
    let (_machine, mut agent) = with(|options| options.tools(["Read", "Grep"])).await;
    let seen = echo(&mut agent, "ECHO_TOOLS").await;
    assert!(seen.contains("Read") && seen.contains("Grep") && !seen.contains("Bash"), "{seen}");
    agent.close().await;

    let (_machine, mut agent) = with(|options| options.tools::<String>([])).await;
    assert_eq!(echo(&mut agent, "ECHO_TOOLS").await, "");
    agent.close().await;

    let (_machine, mut agent) = with(|options| options.disallowed_tools(["Bash", "Edit"])).await;
    let seen = echo(&mut agent, "ECHO_TOOLS").await;
    assert!(seen.contains("Read") && !seen.contains("Bash") && !seen.contains("Edit"), "{seen}");
    agent.close().await;
}

#[tokio::test]
async fn an_allowed_call_is_not_asked_for_and_another_is() {
    let (machine, mut agent) = with(|options| options.allowed_tools(["Bash(touch one:*)"])).await;
    run(&mut agent, Script::bash("touch one two")).await;
    assert!(machine.workspace().join("two").exists());
    agent.say(Script::new(bash("toolu_2", "touch three")).then("done")).await;
    agent.ask().await;
    agent.close().await;
}

#[tokio::test]
async fn settings_take_precedence_over_files_and_no_sources_means_none() {
    let deny = json!({"permissions": {"deny": ["Bash"]}});
    let (_machine, mut agent) = with(|options| options.settings(object(&deny))).await;
    assert!(!echo(&mut agent, "ECHO_TOOLS").await.contains("Bash"));
    agent.close().await;

    for (sources, has_bash) in [(vec![SettingSource::Project], false), (vec![], true)] {
        let machine =
            Machine::new().await.with(|claude| claude.options(|options| options.setting_sources(sources)));
        fs::create_dir(machine.workspace().join(".claude")).unwrap();
        fs::write(machine.workspace().join(".claude/settings.json"), deny.to_string()).unwrap();
        let mut agent = machine.agent().await;
        assert_eq!(echo(&mut agent, "ECHO_TOOLS").await.contains("Bash"), has_bash);
        agent.close().await;
    }
}

#[tokio::test]
async fn models_are_chosen_by_the_session_first() {
    let options = |options: Options| options.model("claude-haiku-4-5");
    let (machine, mut agent) = with(options).await;
    assert_eq!(echo(&mut agent, "ECHO_MODEL").await, "claude-haiku-4-5");
    agent.close().await;
    let mut spec = machine.spec();
    spec.model = Some("claude-sonnet-4-5".into());
    let mut agent = machine.start(spec).await;
    assert_eq!(echo(&mut agent, "ECHO_MODEL").await, "claude-sonnet-4-5");
    agent.close().await;
}

#[tokio::test]
async fn limits_end_a_turn_and_say_so() {
    let calls = || Script::new(bash("toolu_1", "true")).then(bash("toolu_2", "true")).then("done");
    let (_machine, mut agent) = with(|options| options.max_turns(1).allowed_tools(["Bash"])).await;
    assert_eq!(run(&mut agent, calls()).await.subtype, "error_max_turns");
    agent.close().await;

    let (_machine, mut agent) = with(|options| options.max_budget_usd(1e-7).allowed_tools(["Bash"])).await;
    assert_eq!(run(&mut agent, calls()).await.subtype, "error_max_budget_usd");
    agent.close().await;
}

#[tokio::test]
async fn the_mode_is_the_sessions_default() {
    let (machine, mut agent) = with(|options| options.permission_mode("acceptEdits")).await;
    let write =
        tool("toolu_1", "Write", &json!({"file_path": machine.workspace().join("a"), "content": "x"}));
    run(&mut agent, Script::new(write).then("done")).await;
    assert!(machine.workspace().join("a").exists());
    agent.close().await;

    let machine = Machine::new()
        .await
        .with(|claude| claude.options(|options| options.permission_mode("bypassPermissions")));
    let spec = machine.spec();
    let refused = tower::ServiceExt::oneshot(machine.claude.clone(), spec).await.unwrap_err();
    assert!(refused.to_string().contains("not allowed"), "{refused}");
}

#[tokio::test]
async fn an_answer_has_the_form_of_its_schema() {
    let schema = json!({"type": "object", "properties": {"n": {"type": "number"}}, "required": ["n"]});
    let (_machine, mut agent) = with(|options| options.json_schema(object(&schema))).await;
    let answer = tool("toolu_1", "StructuredOutput", &json!({"n": 7}));
    let end = run(&mut agent, Script::new(answer).then("done")).await;
    assert_eq!(member(&end.extra, "structured_output"), r#"{"n":7}"#);
    agent.close().await;
}

#[tokio::test]
async fn a_sub_agent_is_called_and_can_be_the_session() {
    let reviewer = || {
        let (description, prompt) = ("Reviews.".to_owned(), "You are a strict reviewer.".to_owned());
        AgentDefinition { description, prompt, tools: Some(vec!["Read".into()]), model: None }
    };
    let (_machine, mut agent) = with(|options| options.sub_agent("reviewer", reviewer())).await;
    let task = json!({"subagent_type": "reviewer", "description": "d",
        "prompt": Script::text("ECHO_SYSTEM").to_string(), "run_in_background": false});
    agent.say(Script::new(tool("toolu_1", "Agent", &task)).then("done")).await;
    let (output, failed) = agent.tool_result("toolu_1").await;
    assert!(output.contains("strict reviewer") && !failed, "{output}");
    agent.close().await;

    let (_machine, mut agent) =
        with(|options| options.sub_agent("reviewer", reviewer()).agent("reviewer")).await;
    assert!(echo(&mut agent, "ECHO_SYSTEM").await.contains("strict reviewer"));
    agent.close().await;
}

#[tokio::test]
async fn mcp_servers_get_their_secrets_from_the_environment() {
    let server = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/env_mcp_server.py");
    let stdio = McpServer::Stdio {
        command: "python3".into(),
        args: vec![server.into()],
        env: [("TOKEN".to_owned(), "${MY_SECRET}".to_owned())].into(),
    };
    let options = |options: Options| {
        let options = options.mcp_server("vault", stdio).env("MY_SECRET", "s3cret").strict_mcp_config(true);
        options.allowed_tools(["mcp__vault__token"])
    };
    let (machine, mut agent) = with(options).await;
    agent.say(Script::new(tool("toolu_1", "mcp__vault__token", &json!({}))).then("done")).await;
    let (output, failed) = agent.tool_result("toolu_1").await;
    assert!(output.contains("s3cret") && !failed, "{output}");
    let line = fs::read(format!("/proc/{}/cmdline", machine.cli())).unwrap();
    let line = String::from_utf8_lossy(&line);
    assert!(line.contains("${MY_SECRET}") && !line.contains("s3cret"), "{line}");
    agent.close().await;
}

#[tokio::test]
async fn further_directories_are_open_to_the_agent() {
    let elsewhere = tempfile::tempdir().unwrap();
    let place = elsewhere.path().canonicalize().unwrap();
    let (_machine, mut agent) = with(|options| options.add_dir(&place).permission_mode("acceptEdits")).await;
    let write = tool("toolu_1", "Write", &json!({"file_path": place.join("a"), "content": "x"}));
    run(&mut agent, Script::new(write).then("done")).await;
    assert!(place.join("a").exists());
    agent.close().await;
}

#[tokio::test]
async fn a_plugins_command_is_the_agents() {
    let plugin = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = plugin.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write(".claude-plugin/plugin.json", r#"{"name":"greeter"}"#);
    write("commands/greet.md", &Script::text("Hello from the plugin.").to_string());
    let (_machine, mut agent) = with(|options| options.plugin_dir(plugin.path())).await;
    agent.say("/greeter:greet").await;
    agent.turn_end().await;
    assert_eq!(agent.text(), "Hello from the plugin.");
    agent.close().await;
}

#[tokio::test]
async fn files_are_kept_as_they_were_before_a_message() {
    for keep in [true, false] {
        let (machine, mut agent) =
            with(|options| options.file_checkpoints(keep).permission_mode("acceptEdits")).await;
        let file = machine.workspace().join("a");
        fs::write(&file, "before").unwrap();
        let read = tool("toolu_1", "Read", &json!({"file_path": file}));
        let edit = json!({"file_path": file, "old_string": "before", "new_string": "after"});
        run(&mut agent, Script::new(read).then(tool("toolu_2", "Edit", &edit)).then("done")).await;
        assert_eq!(fs::read_to_string(&file).unwrap(), "after");
        let kept = fs::read_dir(machine.home().join("file-history")).map_or(0, Iterator::count);
        assert_eq!(kept > 0, keep);
        agent.close().await;
    }
}

#[tokio::test]
async fn a_profile_goes_over_the_options_and_the_factory_over_both() {
    let machine = Machine::new().await.with(|claude| {
        claude
            .options(|options| options.append_system_prompt("All.").tools(["Read"]))
            .profile("review", |options| options.append_system_prompt("Review."))
            .factory(tower::service_fn(async |spec: agent_webkit::agent::SessionSpec| {
                let model = spec.owner.map(|owner| format!("model-of-{owner}"));
                Ok::<_, std::convert::Infallible>(model.into_iter().fold(Options::new(), Options::model))
            }))
    });
    let mut spec = machine.spec();
    (spec.profile, spec.owner) = (Some("review".into()), Some("ada".into()));
    let mut agent = machine.start(spec).await;
    let seen = echo(&mut agent, "ECHO_SYSTEM").await;
    assert!(seen.trim_end().ends_with("Review.") && !seen.contains("All."), "{seen}");
    let tools = echo(&mut agent, "ECHO_TOOLS").await;
    assert!(tools.contains("Read") && !tools.contains("Bash"), "{tools}");
    assert_eq!(echo(&mut agent, "ECHO_MODEL").await, "model-of-ada");
    agent.close().await;

    let mut spec = machine.spec();
    spec.profile = Some("other".into());
    let refused = tower::ServiceExt::oneshot(machine.claude.clone(), spec).await.unwrap_err();
    let source = std::error::Error::source(&refused).unwrap();
    assert_eq!(source.to_string(), "there is no profile \"other\"");
}
