//! The config directories of agents with a transcript store: private, and removed when the agent ends,
//! whatever ends it.

#[path = "support/claude_agent.rs"]
#[allow(dead_code, reason = "every test crate uses another part of it")]
mod support;

use std::{env, fs, os::unix::fs::PermissionsExt, path::Path, process::Stdio, sync::Arc};

use agent_webkit::{
    practice::Model,
    proto::{AgentEvent, Decision},
};
use serde_json::{Value, json, value::to_raw_value};
use support::{Machine, comes_true, eventually, faulty_store::FaultyStore, kill, processes, script::Script};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

async fn machine() -> Machine {
    Machine::new().await.with(|claude| claude.transcripts(Arc::new(FaultyStore::new())))
}

#[tokio::test]
async fn an_agent_lives_in_a_folder_of_its_own_that_goes_with_it() {
    let machine = machine().await;
    let config = machine.dirs.path().join("config");
    fs::create_dir_all(config.join("commands")).unwrap();
    fs::write(config.join("commands/greet.md"), "Say hello.").unwrap();
    let mut agents = [machine.agent().await, machine.agent().await];
    let mut homes = Vec::new();
    for agent in &mut agents {
        agent.until(|event| matches!(event, AgentEvent::Ready).then_some(())).await;
    }
    for pid in machine.processes() {
        let environ = fs::read_to_string(format!("/proc/{pid}/environ")).unwrap();
        let home = environ.split('\0').find_map(|variable| variable.strip_prefix("CLAUDE_CONFIG_DIR="));
        homes.extend(home.map(|home| Path::new(home).to_owned()));
    }
    homes.sort();
    homes.dedup();
    assert_eq!(homes.len(), 2, "one each: {homes:?}");
    let all = homes[0].parent().unwrap().to_owned();
    for folder in [&all, &homes[0], &homes[1]] {
        assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
    }
    assert_eq!(fs::read_to_string(homes[0].join("commands/greet.md")).unwrap(), "Say hello.");
    let [closed, killed] = agents;
    closed.close().await;
    assert_eq!(fs::read_dir(&all).unwrap().count(), 1, "gone with its agent");
    kill(machine.cli());
    let mut killed = killed;
    killed.exited().await;
    assert_eq!(fs::read_dir(&all).unwrap().count(), 0);
    drop(machine);
    assert!(!all.exists(), "gone with the backend");
}

#[tokio::test]
async fn agents_start_again_after_a_cleaner_has_removed_their_folders() {
    let machine = machine().await;
    let state = machine.dirs.path().join("state");
    let machine = machine.with(|claude| claude.state_dir(&state));
    let mut running = machine.agent().await;
    running.until(|event| matches!(event, AgentEvent::Ready).then_some(())).await;
    let all = machine.home().parent().unwrap().to_owned();
    assert_eq!(all.parent().unwrap(), state.canonicalize().unwrap());
    // In one step, because the agent goes on to write.
    fs::rename(&state, machine.dirs.path().join("cleaned")).unwrap();
    // The one that runs creates its folder again, open to others.
    running.say(Script::text("hi")).await;
    running.turn_end().await;

    let mut next = machine.agent().await;
    next.say(Script::text("hi")).await;
    next.turn_end().await;
    assert_eq!(fs::metadata(&all).unwrap().permissions().mode() & 0o777, 0o700);
    next.close().await;
    running.close().await;
}

#[tokio::test]
async fn what_the_cli_notes_at_its_first_start_is_there_at_the_next() {
    let machine = machine().await;
    let user = || {
        let noted = fs::read(machine.home().join(".claude.json")).ok()?;
        let noted: Value = serde_json::from_slice(&noted).expect("JSON");
        noted["userID"].as_str().map(str::to_owned)
    };
    let mut first = machine.agent().await;
    first.say(Script::text("hi")).await;
    first.turn_end().await;
    let first_user = user();
    assert!(first_user.is_some(), "the CLI has counted the user in");
    first.close().await;

    // Checked before the CLI can have written it.
    let second = machine.agent().await;
    assert_eq!(user(), first_user);
    second.close().await;
}

#[tokio::test]
async fn an_agent_knows_what_the_operator_configured() {
    let machine = machine().await;
    let config = machine.dirs.path().join("config");
    let slug = machine.workspace().canonicalize().unwrap();
    let slug = slug.to_string_lossy().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let memory = config.join("projects").join(slug).join("memory");
    fs::create_dir_all(&memory).unwrap();
    fs::write(config.join("CLAUDE.md"), "The password is heron.").unwrap();
    fs::write(memory.join("MEMORY.md"), "The build needs egret.").unwrap();
    let mut agent = machine.agent().await;
    agent.say(Script::text("ECHO_HISTORY")).await;
    agent.turn_end().await;
    assert!(agent.text().contains("The password is heron."), "{}", agent.text());
    assert!(agent.text().contains("The build needs egret."), "{}", agent.text());
    agent.close().await;
}

#[tokio::test]
async fn what_an_agent_may_for_ever_reaches_the_operators_settings_only_where_they_are_shared() {
    for share_settings in [false, true] {
        let machine = machine().await;
        let settings = machine.dirs.path().join("config/settings.json");
        let mut spec = machine.spec();
        spec.share_settings = share_settings;
        let mut agent = machine.start(spec).await;
        agent.say(Script::bash("touch a")).await;
        let ask = agent.ask().await;
        let rules = json!([{"type": "addRules", "behavior": "allow", "destination": "userSettings",
            "rules": [{"toolName": "Bash", "ruleContent": "touch:*"}]}]);
        let updated_permissions = Some(to_raw_value(&rules).unwrap());
        agent.decide(&ask, Decision::Allow { updated_input: None, updated_permissions }).await;
        agent.turn_end().await;
        agent.close().await;
        let granted = fs::read_to_string(settings).is_ok_and(|text| text.contains("Bash(touch:*)"));
        assert_eq!(granted, share_settings);
    }
}

#[tokio::test]
async fn an_agent_nobody_wants_any_more_takes_its_folder_along() {
    let machine = machine().await;
    let mut agent = machine.agent().await;
    agent.until(|event| matches!(event, AgentEvent::Ready).then_some(())).await;
    let home = machine.home();
    let Machine { claude, tracker, dirs, .. } = machine;
    drop((claude, agent));
    tracker.close();
    tracker.wait().await;
    comes_true("the folder is gone", async || !home.parent().unwrap().exists()).await;
    drop(dirs);
}

const MODEL: &str = "CLAUDE_TEST_HOST_MODEL";
const DIRS: &str = "CLAUDE_TEST_HOST_DIRS";

/// Not a test by itself: the host that the next test starts as a process and kills.
#[tokio::test]
#[ignore = "it is the next one's host"]
async fn host() {
    let (Some(model), Some(dirs)) = (env::var_os(MODEL), env::var_os(DIRS)) else { return };
    let dirs = tempfile::Builder::new().disable_cleanup(true).tempdir_in(dirs).unwrap();
    let machine = Machine::at(dirs, model.to_str().unwrap());
    let machine = machine.with(|claude| claude.transcripts(Arc::new(FaultyStore::new())));
    let mut agent = machine.agent().await;
    agent.say("hello").await;
    agent.turn_end().await;
    println!("host: {} {}", machine.dirs.path().join("home").display(), machine.home().display());
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn the_folders_of_a_killed_host_are_removed() {
    let model = Model::bind("127.0.0.1:0").await.unwrap();
    let dirs = tempfile::tempdir().unwrap();
    let mut host = Command::new(env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "host"])
        .env(MODEL, model.url())
        .env(DIRS, dirs.path())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(host.stdout.take().unwrap()).lines();
    let line = loop {
        let line = lines.next_line().await.unwrap().expect("the host has an agent");
        if let Some((_, line)) = line.split_once("host: ") {
            break line.to_owned();
        }
    };
    let (home_of_machine, home) = line.split_once(' ').unwrap();
    let (home_of_machine, all) = (home_of_machine.to_owned(), Path::new(home).parent().unwrap().to_owned());
    assert!(all.join(Path::new(home).file_name().unwrap()).exists());
    host.kill().await.unwrap();
    tokio::task::spawn_blocking(move || {
        eventually("no agent is left", || processes(home_of_machine.as_ref()).is_empty());
        eventually("no folder is left", || !all.exists());
    })
    .await
    .unwrap();
}
