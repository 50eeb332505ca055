//! The end of agents: on request, killed, or with their host. No process of theirs is left behind.

#[path = "support/claude_agent.rs"]
#[allow(dead_code, reason = "every test crate uses another part of it")]
mod support;

use std::{
    env, fs,
    process::Stdio,
    time::{Duration, Instant},
};

use agent_webkit::{
    agent::AgentIo,
    claude::Grace,
    practice::Model,
    proto::{AgentCommand, AgentEvent, Decision},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

use support::{
    Agent, Machine, eventually, kill, processes,
    script::{Script, bash, tool},
};

/// Less than the first step of the termination, with a reserve for a busy machine.
const AT_ONCE: Duration = Duration::from_secs(10);

/// A machine that gives its agents as long as they need to end by themselves.
async fn patient() -> Machine {
    let mut grace = Grace::default();
    (grace.input, grace.term, grace.leftovers) = (2 * AT_ONCE, 2 * AT_ONCE, 2 * AT_ONCE);
    Machine::new().await.with(|claude| claude.grace(grace))
}

/// Starts a background shell that outlives its turn. Returns the process ids that it wrote: its own, and that
/// of a process in a session of its own.
async fn background_shell(machine: &Machine, agent: &mut Agent) -> Vec<i32> {
    let command = "echo $$ > shell; setsid sh -c 'trap \"\" TERM HUP; echo $$ > deaf; while :; do sleep 1; done' & sleep 300";
    let input = json!({"command": command, "run_in_background": true});
    agent.say(Script::new(tool("toolu_bg", "Bash", &input)).then("started")).await;
    loop {
        let ask = agent
            .until(|event| match event {
                AgentEvent::Ask(ask) => Some(Some(ask.clone())),
                AgentEvent::TurnEnded(_) => Some(None),
                _ => None,
            })
            .await;
        match ask {
            Some(ask) => agent.allow(&ask).await,
            None => break,
        }
    }
    let read = |name: &str| fs::read_to_string(machine.workspace().join(name)).ok()?.trim().parse().ok();
    let mut pids = Vec::new();
    eventually("the shells run", || {
        pids = ["shell", "deaf"].into_iter().filter_map(read).collect();
        pids.len() == 2
    });
    let all = machine.processes();
    assert!(pids.iter().all(|pid| all.contains(pid)), "{pids:?} of {all:?}");
    pids
}

fn assert_gone(machine: &Machine, pids: &[i32]) {
    assert_eq!(machine.processes(), [0; 0], "something is left");
    for pid in pids {
        let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        assert!(state.is_empty() || state.contains(") Z "), "{state}");
    }
}

#[tokio::test]
async fn an_idle_agent_ends_by_itself_when_asked() {
    let machine = Machine::new().await;
    let mut agent = machine.agent().await;
    agent.say("hi").await;
    agent.turn_end().await;
    assert_eq!(agent.close().await, "The agent exited with status 0.");
    assert_gone(&machine, &[]);
}

#[tokio::test]
async fn an_agent_that_is_closed_before_it_is_ready_ends() {
    let machine = Machine::new().await;
    let agent = machine.agent().await;
    agent.close().await;
    assert_gone(&machine, &[]);
}

#[tokio::test]
async fn closing_ends_a_running_turn() {
    let machine = Machine::new().await;
    let mut agent = machine.agent().await;
    agent.say(Script::slow(10_000, 50)).await;
    agent.until(|event| matches!(event, AgentEvent::Delta { .. }).then_some(())).await;
    agent.close().await;
    assert_gone(&machine, &[]);
}

#[tokio::test]
async fn closing_takes_background_shells_along() {
    let machine = Machine::new().await;
    let mut agent = machine.agent().await;
    let pids = background_shell(&machine, &mut agent).await;
    agent.close().await;
    assert_gone(&machine, &pids);
}

#[tokio::test]
async fn an_aborted_agent_ends_at_once_with_all_it_started() {
    let machine = patient().await;
    let mut agent = machine.agent().await;
    let pids = background_shell(&machine, &mut agent).await;
    agent.say(Script::slow(10_000, 50)).await;
    agent.until(|event| matches!(event, AgentEvent::Delta { .. }).then_some(())).await;
    let start = Instant::now();
    agent.command(AgentCommand::Abort).await;
    assert_eq!(agent.exited().await, "The agent was ended by signal 9.");
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
    assert!(!agent.seen.iter().rev().take(2).any(|event| matches!(event, AgentEvent::TurnEnded(_))));
    assert_gone(&machine, &pids);
}

#[tokio::test]
async fn an_agent_that_reads_nothing_can_be_aborted() {
    let machine = patient().await;
    let mut agent = machine.agent().await;
    agent.until(|event| matches!(event, AgentEvent::Ready).then_some(())).await;
    kill_process(Pid::from_raw(machine.cli()).unwrap(), Signal::STOP).unwrap();
    // More than fits into a pipe.
    for _ in 0..3 {
        agent.say("x".repeat(1 << 20)).await;
    }
    let start = Instant::now();
    agent.command(AgentCommand::Abort).await;
    agent.exited().await;
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
    assert_gone(&machine, &[]);
}

#[tokio::test]
async fn commands_before_the_end_of_the_commands_are_carried_out() {
    let mut grace = Grace::default();
    // On a busy machine these commands take the CLI a while.
    grace.input = Duration::from_secs(60);
    let machine = Machine::new().await.with(|claude| claude.grace(grace));
    let mut agent = machine.agent().await;
    agent.until(|event| matches!(event, AgentEvent::Ready).then_some(())).await;
    for request in 1..=3 {
        agent.command(AgentCommand::SetModel { request, model: Some("m".repeat(200_000)) }).await;
    }
    let Agent { io, seen } = agent;
    let (nobody, _) = tokio::sync::mpsc::channel(1);
    drop(io.commands);
    let mut agent = Agent { io: AgentIo { commands: nobody, events: io.events }, seen };
    for request in 1..=3 {
        agent
            .until(|event| match event {
                AgentEvent::Answer { request: answered, outcome: Ok(()) } => Some(*answered == request),
                _ => None,
            })
            .await;
    }
    agent.exited().await;
}

#[tokio::test]
async fn an_agent_nobody_listens_to_ends() {
    let machine = Machine::new().await;
    let mut agent = machine.agent().await;
    let pids = background_shell(&machine, &mut agent).await;
    let Agent { io, .. } = agent;
    drop(io.events);
    machine.tracker.close();
    machine.tracker.wait().await;
    assert_gone(&machine, &pids);
    drop(io.commands);
}

#[tokio::test]
async fn a_killed_agent_tells_its_end_and_leaves_nothing() {
    let machine = Machine::new().await;
    let spec = machine.spec();
    let mut agent = machine.start(spec.clone()).await;
    agent.say("remember the word heron").await;
    agent.turn_end().await;
    let pids = background_shell(&machine, &mut agent).await;
    agent.say(Script::slow(1000, 20)).await;
    agent.until(|event| matches!(event, AgentEvent::Delta { .. }).then_some(())).await;
    agent.command(AgentCommand::SetModel { request: 9, model: None }).await;
    kill(machine.cli());
    assert_eq!(agent.exited().await, "The agent was ended by signal 9.");
    assert_gone(&machine, &pids);

    // The next agent continues the conversation.
    let mut again = spec;
    again.resume = true;
    let mut agent = machine.start(again).await;
    agent.say(Script::text("ECHO_HISTORY")).await;
    // First the agent begins a turn by itself, about the shell that is gone.
    while agent.turn_end().await.unprompted {}
    assert!(agent.text().contains("remember the word heron"), "{}", agent.text());
    agent.close().await;
}

#[tokio::test]
async fn a_session_without_a_past_can_be_resumed_too() {
    let machine = Machine::new().await;
    let mut spec = machine.spec();
    spec.resume = true;
    let mut agent = machine.start(spec.clone()).await;
    agent.until(|event| matches!(event, AgentEvent::Ready).then_some(())).await;
    kill(machine.cli());
    agent.exited().await;

    // The agent was killed while it wrote the first lines of its transcript.
    let slug =
        spec.cwd.canonicalize().unwrap().to_string_lossy().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let folder = machine.dirs.path().join("config/projects").join(slug);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(format!("{}.jsonl", spec.session_id)), "{\"type\":\"queue-operation\"}\n{\"ty")
        .unwrap();
    let mut agent = machine.start(spec).await;
    agent.say("hello").await;
    assert_eq!(agent.turn_end().await.subtype, "success");
    agent.close().await;
}

#[tokio::test]
async fn an_agent_that_cannot_go_on_says_why() {
    let machine = Machine::new().await.with(|claude| claude.arg("--no-such-flag"));
    let mut agent = machine.agent().await;
    let message = agent.exited().await;
    assert!(
        message.starts_with("The agent exited with status 1: ") && message.contains("no-such-flag"),
        "{message}"
    );
    assert!(!agent.seen.iter().any(|event| matches!(event, AgentEvent::Ready)));
}

#[tokio::test]
async fn a_prompt_at_the_end_of_the_agent_is_answered_by_its_end() {
    let machine = Machine::new().await;
    let mut agent = machine.agent().await;
    agent.say(Script::new(bash("toolu_p", "touch p")).then("never")).await;
    let ask = agent.ask().await;
    kill(machine.cli());
    agent.exited().await;
    let decision = Decision::Deny { message: None, interrupt: false };
    let late = AgentCommand::Decide { correlation_id: ask.correlation_id, decision };
    assert!(agent.io.commands.send(late).await.is_err(), "nobody is there any more");
    assert_gone(&machine, &[]);
}

#[tokio::test]
async fn the_agent_sees_its_own_environment_and_not_the_servers() {
    let machine = Machine::new().await.with(|claude| {
        claude.env("AGENT_WEBKIT_AUTH_TOKEN", "secret").env("DATABASE_URL", "secret").env("MINE", "for you")
    });
    let mut agent = machine.agent().await;
    agent.until(|event| matches!(event, AgentEvent::Ready).then_some(())).await;
    let pid = machine.cli();
    let environ = String::from_utf8(fs::read(format!("/proc/{pid}/environ")).unwrap()).unwrap();
    assert!(environ.contains("MINE=for you") && !environ.contains("secret"), "{environ}");
    let line = String::from_utf8(fs::read(format!("/proc/{pid}/cmdline")).unwrap()).unwrap();
    assert!(!line.contains("for you"));
    agent.close().await;
}

#[tokio::test]
async fn an_oversize_line_is_told_and_the_agent_goes_on() {
    let machine = Machine::new().await.with(|claude| claude.line_limit(32 << 10));
    let mut agent = machine.agent().await;
    let long = "0123456789abcdef".repeat(4 << 10);
    agent.say(Script::text(&long)).await;
    agent
        .until(|event| match event {
            AgentEvent::Error { code, .. } if code == "oversize_line" => Some(()),
            _ => None,
        })
        .await;
    agent.command(AgentCommand::SetModel { request: 1, model: None }).await;
    assert_eq!(agent.answer().await, Ok(()));
    agent.close().await;
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
    let mut agent = machine.agent().await;
    let pids = background_shell(&machine, &mut agent).await;
    let home = machine.dirs.path().join("home");
    println!("host: {} {} {}", home.display(), pids[0], pids[1]);
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_killed_host_takes_its_agents_along() {
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
    let home = line.split(' ').next().unwrap().to_owned();
    assert!(processes(home.as_ref()).len() >= 3, "the CLI and two shells run");
    host.kill().await.unwrap();
    tokio::task::spawn_blocking(move || {
        eventually("nothing is left", || processes(home.as_ref()).is_empty());
    })
    .await
    .unwrap();
}
