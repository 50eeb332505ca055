//! Files that the real CLI writes beside its transcripts, and reads again after a resume on another machine.

#[path = "support/claude_agent.rs"]
#[allow(dead_code, reason = "every test crate uses another part of it")]
mod support;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Arc,
};

use agent_webkit::{
    agent::SessionSpec,
    proto::{AgentCommand, AgentEvent, Ask},
};
use serde_json::{Value, json};
use support::{
    Agent, Machine, comes_true,
    faulty_store::FaultyStore,
    script::{Script, tool},
};

/// A machine with this transcript store, and with the CLI's optional functions.
async fn machine(store: &FaultyStore) -> Machine {
    let shared = Arc::new(store.clone());
    Machine::new().await.with(|claude| {
        claude
            .transcripts(shared)
            .env("CLAUDE_CODE_ENABLE_TODO_TOOLS", "1")
            .env("CLAUDE_CODE_ENABLE_SDK_FILE_CHECKPOINTING", "1")
    })
}

fn spec(machine: &Machine, mode: &str) -> SessionSpec {
    let mut spec = machine.spec();
    spec.permission_mode = Some(mode.to_owned());
    spec
}

/// Resumes the session on another machine.
async fn resume(machine: &Machine, spec: &SessionSpec) -> Agent {
    let mut again = SessionSpec::new(&spec.session_id, machine.workspace());
    again.resume = true;
    again.permission_mode.clone_from(&spec.permission_mode);
    machine.start(again).await
}

/// Calls a tool and returns the text of its result, which is no error and needed no permission.
async fn call(agent: &mut Agent, name: &str, input: Value) -> String {
    let id = format!("toolu_{}", agent.seen.len());
    agent.say(Script::new(tool(&id, name, &input)).then("done")).await;
    let (text, is_error) = agent.tool_result(&id).await;
    assert!(!is_error, "{text}");
    agent.turn_end().await;
    text
}

/// Returns the first path that begins and ends like this.
fn path_in(text: &str, begins: &Path, ends: &str) -> PathBuf {
    let begins = begins.to_str().unwrap();
    let paths = text.split(begins).skip(1).map(|rest| rest.split(['"', '\\', ' ', '\n']).next().unwrap());
    let path = paths.map(|rest| format!("{begins}{rest}")).find(|path| path.ends_with(ends));
    path.unwrap_or_else(|| panic!("no {begins}…{ends} in {text}")).into()
}

/// Writes a plan, in a turn that goes on with these steps.
async fn plan(machine: &Machine, agent: &mut Agent, session_id: &str, then: impl Into<Value>) {
    agent.say("hello").await;
    agent.turn_end().await;
    let home = machine.home();
    let path = path_in(&transcript(&home, session_id), &home.join("plans"), ".md");
    let write = tool("toolu_plan", "Write", &json!({"file_path": path, "content": "# The heron plan\n"}));
    agent.say(Script::new(write).then(then).then("done")).await;
}

async fn ask_for_plan(agent: &mut Agent) -> Ask {
    agent.say(Script::new(tool("toolu_exit", "ExitPlanMode", &json!({}))).then("done")).await;
    agent.ask().await
}

fn errors(agent: &Agent) -> Vec<&str> {
    let errors = agent.seen.iter().filter_map(|event| match event {
        AgentEvent::Error { code, message } if code == "transcript_incomplete" => Some(message.as_str()),
        _ => None,
    });
    errors.collect()
}

#[tokio::test]
async fn a_plan_is_asked_for_after_a_resume() {
    let store = FaultyStore::new();
    let first = machine(&store).await;
    let spec = spec(&first, "plan");
    let mut agent = first.start(spec.clone()).await;
    plan(&first, &mut agent, &spec.session_id, "written").await;
    agent.turn_end().await;
    let files = store.files().await.concat();
    assert!(files.contains("# The heron plan"), "it is stored before the end of the turn: {files}");
    agent.close().await;
    drop(first);

    for _ in 0..2 {
        let next = machine(&store).await;
        let mut agent = resume(&next, &spec).await;
        let ask = ask_for_plan(&mut agent).await;
        let input: Value = serde_json::from_str(ask.input.get()).unwrap();
        assert_eq!(input["plan"], "# The heron plan\n");
        let path = Path::new(input["planFilePath"].as_str().unwrap());
        assert!(path.starts_with(next.home()), "{}", path.display());
        agent.close().await;
    }
}

#[tokio::test]
async fn a_plan_is_stored_with_the_prompt_that_asks_about_it() {
    let store = FaultyStore::new();
    let first = machine(&store).await;
    let spec = spec(&first, "plan");
    let mut agent = first.start(spec.clone()).await;
    let exit = tool("toolu_exit", "ExitPlanMode", &json!({}));
    plan(&first, &mut agent, &spec.session_id, exit).await;
    agent.ask().await;
    comes_true("the plan is stored", async || store.files().await.concat().contains("# The heron plan"))
        .await;
    // As if the server were killed: nothing more is stored.
    agent.command(AgentCommand::Abort).await;
    agent.exited().await;
    drop(first);

    let second = machine(&store).await;
    let mut agent = resume(&second, &spec).await;
    let ask = ask_for_plan(&mut agent).await;
    assert!(ask.input.get().contains("# The heron plan"), "{}", ask.input);
    agent.close().await;
}

#[tokio::test]
async fn a_large_output_is_readable_again_by_the_path_in_the_transcript() {
    let store = FaultyStore::new();
    let first = machine(&store).await;
    let spec = first.spec();
    let mut agent = first.start(spec.clone()).await;
    let seq = tool("toolu_seq", "Bash", &json!({"command": "seq 1 40000"}));
    agent.say(Script::new(seq).then(json!({"hang": 60}))).await;
    let (output, _) = agent.tool_result("toolu_seq").await;
    path_in(&output, &first.home().join("projects"), ".txt");
    comes_true("it is stored", async || store.files().await.concat().contains("tool-results/")).await;
    // As if the server were killed in the middle of the turn: nothing more is stored.
    agent.command(AgentCommand::Abort).await;
    agent.exited().await;
    drop(first);

    // Every machine has another config directory, and another project, which the working directory names.
    for _ in 0..2 {
        let next = machine(&store).await;
        let mut agent = resume(&next, &spec).await;
        agent.until(|event| matches!(event, AgentEvent::Ready).then_some(())).await;
        let home = next.home();
        let path = path_in(&transcript(&home, &spec.session_id), &home.join("projects"), ".txt");
        let read = call(&mut agent, "Read", json!({"file_path": path, "offset": 39_999, "limit": 2})).await;
        assert!(read.contains("39999") && read.contains("40000"), "{read}");
        let session = path.parent().and_then(Path::parent).unwrap();
        assert!(!session.join("agent-webkit").exists(), "the files are no sub-agent's transcript");
        agent.close().await;
        let stored = store.files().await.concat().matches("tool-results/").count();
        assert_eq!(stored, 1, "it has not changed");
    }
}

/// The CLI's own transcript.
fn transcript(home: &Path, session_id: &str) -> String {
    let projects = fs::read_dir(home.join("projects")).unwrap().flatten();
    let mut files = projects.map(|project| project.path().join(format!("{session_id}.jsonl")));
    fs::read_to_string(files.find(|file| file.exists()).expect("a transcript")).unwrap()
}

#[tokio::test]
async fn task_lists_and_file_checkpoints_come_back() {
    let store = FaultyStore::new();
    let first = machine(&store).await;
    let spec = spec(&first, "acceptEdits");
    let file = first.workspace().join("a.txt");
    fs::write(&file, "before").unwrap();
    let mut agent = first.start(spec.clone()).await;
    call(&mut agent, "Read", json!({"file_path": file})).await;
    call(&mut agent, "Edit", json!({"file_path": file, "old_string": "before", "new_string": "after"})).await;
    for subject in ["buy a heron", "feed it"] {
        call(&mut agent, "TaskCreate", json!({"subject": subject, "description": "d"})).await;
    }
    call(&mut agent, "TaskUpdate", json!({"taskId": "2", "status": "deleted"})).await;
    agent.close().await;
    drop(first);

    let second = machine(&store).await;
    let mut agent = resume(&second, &spec).await;
    let list = call(&mut agent, "TaskList", json!({})).await;
    assert!(list.contains("buy a heron") && !list.contains("feed it"), "{list}");
    let checkpoints = second.home().join("file-history").join(&spec.session_id);
    let contents =
        fs::read_dir(checkpoints).unwrap().map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
    assert!(contents.collect::<Vec<_>>().contains(&"before".to_owned()));
    agent.close().await;
}

#[tokio::test]
async fn a_workflow_is_continued() {
    let store = FaultyStore::new();
    let first = machine(&store).await;
    let spec = spec(&first, "default");
    let mut agent = first.start(spec.clone()).await;
    let prompt = Script::text("HERON").to_string();
    let script = format!(
        "export const meta = {{name: 'herons', description: 'd'}}\nreturn await agent({}, {{label: 'l'}})",
        json!(prompt)
    );
    let started = allowed(&mut agent, "toolu_first", "Workflow", &json!({"script": script})).await;
    let run = started.split(|char: char| !(char.is_alphanumeric() || "_-".contains(char)));
    let run = run.into_iter().find(|word| word.starts_with("wf_")).expect("a run").to_owned();
    let ended = |event: &AgentEvent| match event {
        AgentEvent::Task { status, .. } => (status.as_deref() == Some("completed")).then_some(()),
        _ => None,
    };
    if !agent.seen.iter().any(|event| ended(event).is_some()) {
        agent.until(ended).await;
    }
    agent.close().await;
    let files = store.files().await.concat();
    assert!(files.contains("journal.jsonl") && files.contains("\"workflows/wf_"), "{files}");
    drop(first);

    let second = machine(&store).await;
    let mut agent = resume(&second, &spec).await;
    agent.until(|event| matches!(event, AgentEvent::Ready).then_some(())).await;
    let home = second.home();
    let script = path_in(&transcript(&home, &spec.session_id), &home.join("projects"), ".js");
    let input = json!({"scriptPath": script, "resumeFromRunId": run});
    allowed(&mut agent, "toolu_second", "Workflow", &input).await;
    agent.close().await;
}

/// Calls a tool, allows it if the agent asks, and returns the text of its result, which is no error.
async fn allowed(agent: &mut Agent, id: &str, name: &str, input: &Value) -> String {
    agent.say(Script::new(tool(id, name, input)).then("done")).await;
    let asked_or_done = |event: &AgentEvent| match event {
        AgentEvent::Ask(ask) => Some(Err(ask.clone())),
        AgentEvent::ToolResult { tool_use_id, output, is_error, .. } if tool_use_id == id => {
            assert!(!is_error, "{output}");
            Some(Ok(output.get().to_owned()))
        }
        _ => None,
    };
    let result = loop {
        match agent.until(asked_or_done).await {
            Ok(result) => break result,
            Err(ask) => agent.allow(&ask).await,
        }
    };
    agent.turn_end().await;
    result
}

#[tokio::test]
async fn what_a_hook_set_for_the_session_stays() {
    let store = FaultyStore::new();
    let first = machine(&store).await;
    let export = "echo 'export BIRD=heron' >> \"$CLAUDE_ENV_FILE\"";
    let hook = json!([{"matcher": "startup", "hooks": [{"type": "command", "command": export}]}]);
    let config = first.dirs.path().join("config");
    fs::create_dir_all(&config).unwrap();
    fs::write(config.join("settings.json"), json!({"hooks": {"SessionStart": hook}}).to_string()).unwrap();
    let spec = spec(&first, "acceptEdits");
    let echo = json!({"command": "echo \"it is [$BIRD]\""});
    let mut agent = first.start(spec.clone()).await;
    assert!(allowed(&mut agent, "toolu_first", "Bash", &echo).await.contains("[heron]"));
    agent.close().await;
    drop(first);

    let second = machine(&store).await;
    let mut agent = resume(&second, &spec).await;
    assert!(allowed(&mut agent, "toolu_second", "Bash", &echo).await.contains("[heron]"));
    agent.close().await;
}

#[tokio::test]
async fn a_file_that_is_too_large_is_reported_once() {
    let store = FaultyStore::new();
    let machine = machine(&store).await;
    let mut agent = machine.agent().await;
    agent.say("hello").await;
    agent.turn_end().await;
    let plans = machine.home().join("plans");
    fs::create_dir_all(&plans).unwrap();
    File::create(plans.join("large.md")).unwrap().set_len((16 << 20) + 1).unwrap();
    for _ in 0..2 {
        agent.say("hello").await;
        agent.turn_end().await;
        let report = "The agent's file plans/large.md is larger than 16 MiB; it is not kept.";
        assert_eq!(errors(&agent), [report]);
    }
    assert!(!store.files().await.concat().contains("large.md"));
    agent.close().await;
}

#[tokio::test]
async fn files_larger_than_the_queue_are_all_stored() {
    let store = FaultyStore::new();
    let machine = machine(&store).await;
    let mut agent = machine.agent().await;
    agent.say("hello").await;
    agent.turn_end().await;
    let plans = machine.home().join("plans");
    fs::create_dir_all(&plans).unwrap();
    for name in ["a", "b"] {
        fs::write(plans.join(name), vec![0xff; 13 << 20]).unwrap();
    }
    agent.say("hello").await;
    agent.turn_end().await;
    let stored = async || store.files().await.iter().filter(|line| line.len() > 26 << 20).count();
    assert!(stored().await >= 1);
    comes_true("the rest is stored, too", async || stored().await == 2).await;
    agent.close().await;
}
