//! Transcripts of the real CLI, mirrored into a transcript store: when, in which order, and when the
//! transcript store fails.

#[cfg(feature = "metrics")]
#[path = "support/counted.rs"]
#[allow(dead_code, reason = "every test crate uses another part of it")]
mod counted;
#[path = "support/claude_agent.rs"]
#[allow(dead_code, reason = "every test crate uses another part of it")]
mod support;

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use agent_webkit::{proto::AgentEvent, storage::transcripts::TranscriptKey};
use serde_json::{Value, json};
use support::{
    Agent, Machine, comes_true,
    faulty_store::{FaultyStore, Mood},
    script::{Script, tool},
};

async fn machine() -> (Machine, FaultyStore) {
    let store = FaultyStore::new();
    let shared = Arc::new(store.clone());
    (Machine::new().await.with(|claude| claude.transcripts(shared)), store)
}

/// The session's main transcript.
fn main_key(store: &FaultyStore) -> TranscriptKey {
    let keys = store.keys();
    let mut main = keys.iter().filter(|key| key.is_main());
    let key = main.next().expect("it is stored").clone();
    assert!(main.next().is_none(), "one session: {keys:?}");
    key
}

/// The lines of the CLI's own transcript file, without those that it does not mirror.
fn local_lines(machine: &Machine, key: &TranscriptKey) -> Vec<Value> {
    let mut file = machine.home().join("projects").join(&key.project_key).join(&key.session_id);
    file = if key.is_main() {
        file.with_extension("jsonl")
    } else {
        file.join(format!("{}.jsonl", key.subpath))
    };
    let text = fs::read_to_string(file).expect("the CLI's transcript");
    let lines = text.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    lines
        .filter(|line: &Value| !line["type"].as_str().unwrap_or_default().starts_with("api-request"))
        .collect()
}

async fn stored_lines(store: &FaultyStore, key: &TranscriptKey) -> Vec<Value> {
    let lines = store.lines(key).await.into_iter().map(|line| serde_json::from_str(&line).expect("JSON"));
    lines.filter(|line: &Value| line["type"] != "agent_metadata").collect()
}

fn errors(agent: &Agent) -> Vec<&str> {
    let errors = agent.seen.iter().filter_map(|event| match event {
        AgentEvent::Error { code, .. } => Some(code.as_str()),
        _ => None,
    });
    errors.collect()
}

#[tokio::test]
async fn a_turn_is_stored_before_its_end_is_told() {
    let (machine, store) = machine().await;
    let mut agent = machine.agent().await;
    for word in ["heron", "egret"] {
        agent.say(Script::text(word)).await;
        agent.turn_end().await;
        let stored = store.lines(&main_key(&store)).await.concat();
        assert_eq!(stored.matches(&format!("\"text\":\"{word}\"")).count(), 1, "{stored}");
    }
    let slug = machine.workspace().canonicalize().unwrap();
    let slug = slug.to_string_lossy().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    assert_eq!(main_key(&store).project_key, slug);
    agent.close().await;
    assert!(!machine.dirs.path().join("config/projects").join(slug).join("x.jsonl").exists());
}

#[tokio::test]
async fn the_end_of_a_turn_waits_for_a_slow_store() {
    let (machine, store) = machine().await;
    store.is(Mood::Stuck);
    let mut agent = machine.agent().await;
    agent.say(Script::text("heron")).await;
    agent.until(|event| matches!(event, AgentEvent::MessageStopped { .. }).then_some(())).await;
    let early = tokio::time::timeout(Duration::from_millis(800), agent.turn_end()).await;
    assert!(early.is_err(), "it is not stored yet");
    store.is(Mood::Well);
    agent.turn_end().await;
    assert!(store.lines(&main_key(&store)).await.concat().contains("heron"));
    agent.close().await;
}

#[tokio::test]
async fn what_follows_the_end_of_a_turn_and_that_of_the_agent_is_stored_too() {
    let (machine, store) = machine().await;
    let mut agent = machine.agent().await;
    agent.say("hello").await;
    agent.turn_end().await;
    let key = main_key(&store);
    comes_true("the store holds what the CLI wrote", async || {
        stored_lines(&store, &key).await == local_lines(&machine, &key)
    })
    .await;
    let before = store.lines(&key).await.len();
    agent.close().await;
    assert!(store.lines(&key).await.len() > before, "the CLI's last words are its state");
}

#[tokio::test]
async fn sub_agents_have_transcripts_of_their_own() {
    let (machine, store) = machine().await;
    let mut agent = machine.agent().await;
    let inner = Script::text("inner words").to_string();
    let input = json!({"description": "do it", "prompt": inner, "subagent_type": "general-purpose"});
    agent.say(Script::new(tool("toolu_sub", "Task", &input)).then("outer final").then("after")).await;
    while !agent.turn_end().await.unprompted {}
    let keys = store.keys();
    let sub = keys.iter().find(|key| key.subpath.starts_with("subagents/agent-")).expect("a sub-agent's");
    assert!(store.lines(sub).await.concat().contains("inner words"));
    assert!(store.lines(sub).await[0].contains("agent_metadata"));
    for key in &keys {
        comes_true("the store holds what the CLI wrote", async || {
            stored_lines(&store, key).await == local_lines(&machine, key)
        })
        .await;
    }
    agent.close().await;
}

#[tokio::test]
async fn a_store_that_comes_back_has_missed_nothing() {
    let (machine, store) = machine().await;
    let mut agent = machine.agent().await;
    agent.say("first").await;
    agent.turn_end().await;
    store.is(Mood::Away);
    agent.say("second").await;
    agent.until(|event| matches!(event, AgentEvent::Error { .. }).then_some(())).await;
    store.is(Mood::Well);
    agent.turn_end().await;
    agent.say("third").await;
    agent.turn_end().await;
    assert_eq!(errors(&agent), ["transcript_unavailable"]);
    let key = main_key(&store);
    comes_true("the store holds what the CLI wrote, in its order, once", async || {
        stored_lines(&store, &key).await == local_lines(&machine, &key)
    })
    .await;
    agent.close().await;
}

#[cfg(feature = "metrics")]
#[tokio::test]
async fn an_outage_is_counted_once_however_often_it_is_tried() {
    let mut counted = counted::Counted::new();
    let (machine, store) = machine().await;
    let mut agent = machine.agent().await;
    store.is(Mood::Away);
    agent.say("hello").await;
    agent.until(|event| matches!(event, AgentEvent::Error { .. }).then_some(())).await;
    counted.check([("transcript_store_outages_total", 1.0), ("transcript_store_away", 1.0)]);
    store.is(Mood::Well);
    agent.turn_end().await;
    counted.check([("transcript_store_outages_total", 1.0), ("transcript_store_away", 0.0)]);
    agent.close().await;
}

#[tokio::test]
async fn a_store_that_never_answers_stops_nothing() {
    let store = FaultyStore::new();
    store.is(Mood::Stuck);
    let shared = Arc::new(store.clone());
    let mut grace = agent_webkit::claude::Grace::default();
    grace.store = Duration::from_secs(1);
    let machine = Machine::new().await.with(|claude| claude.transcripts(shared).grace(grace));
    let mut agent = machine.agent().await;
    for _ in 0..2 {
        agent.say("go on").await;
        assert_eq!(agent.turn_end().await.subtype, "success");
    }
    assert_eq!(errors(&agent), ["transcript_unavailable"]);
    store.is(Mood::Well);
    agent.close().await;
    assert_eq!(store.lines(&main_key(&store)).await.concat().matches("\"type\":\"user\"").count(), 2);
}

#[tokio::test]
async fn a_store_that_stays_away_stops_nothing() {
    let store = FaultyStore::new();
    store.is(Mood::Away);
    let shared = Arc::new(store.clone());
    let mut grace = agent_webkit::claude::Grace::default();
    grace.store = Duration::from_secs(5);
    let machine = Machine::new().await.with(|claude| claude.transcripts(shared).grace(grace));
    let mut agent = machine.agent().await;
    for _ in 0..3 {
        agent.say("go on").await;
        assert_eq!(agent.turn_end().await.subtype, "success");
    }
    assert_eq!(errors(&agent), ["transcript_unavailable"], "one outage is told once");
    let start = Instant::now();
    agent.say("without waiting").await;
    agent.turn_end().await;
    assert!(start.elapsed() < grace.store, "only the first turn of an outage is held");

    // The entries that waited are stored.
    store.is(Mood::Well);
    agent.say("back").await;
    agent.turn_end().await;
    comes_true("all turns are stored", async || {
        let key = store.keys().into_iter().find(TranscriptKey::is_main);
        let lines = match key {
            Some(key) => store.lines(&key).await,
            None => Vec::new(),
        };
        lines.iter().filter(|line| line.contains("\"type\":\"user\"")).count() == 5
    })
    .await;
    store.is(Mood::Away);
    agent.say("and gone again").await;
    agent.turn_end().await;
    let AgentEvent::Error { code, .. } = last_error_of(agent).await else { panic!("no error") };
    assert_eq!(code, "transcript_incomplete", "a loss is told");
}

/// Closes the agent and returns its last error event.
async fn last_error_of(agent: Agent) -> AgentEvent {
    let agent_webkit::agent::AgentIo { commands, mut events } = agent.io;
    drop(commands);
    let mut last = None;
    while let Some(event) = events.recv().await {
        last = if matches!(event, AgentEvent::Error { .. }) { Some(event) } else { last };
    }
    last.expect("an error")
}

#[tokio::test]
async fn an_entry_that_cannot_be_stored_is_left_out_alone() {
    let (machine, store) = machine().await;
    store.is(Mood::Picky("unfit"));
    let mut agent = machine.agent().await;
    agent.say(Script::new(json!(["an unfit word", "a fine word"]))).await;
    agent.turn_end().await;
    assert!(errors(&agent).contains(&"transcript_incomplete"));
    let stored = store.lines(&main_key(&store)).await.concat();
    assert!(stored.contains("\"text\":\"a fine word\"") && !stored.contains("unfit"), "{stored}");
    agent.close().await;
}

#[tokio::test]
async fn a_store_that_refuses_everything_stops_nothing() {
    let (machine, store) = machine().await;
    store.is(Mood::Picky("{"));
    let mut agent = machine.agent().await;
    for _ in 0..2 {
        agent.say("go on").await;
        assert_eq!(agent.turn_end().await.subtype, "success");
    }
    assert_eq!(errors(&agent), ["transcript_incomplete"; 10], "more of the same is only logged");
    agent.close().await;
}

#[tokio::test]
async fn a_fenced_agent_is_ended_by_force_and_says_nothing_more() {
    let (machine, store) = machine().await;
    let mut agent = machine.agent().await;
    agent.say("mine").await;
    agent.turn_end().await;
    let stored = store.lines(&main_key(&store)).await.len();
    store.is(Mood::Fenced);
    agent.say(Script::text("not mine")).await;
    agent.until(|event| matches!(event, AgentEvent::Fenced).then_some(())).await;
    let told = agent.seen.len();
    assert_eq!(agent.exited().await, "The agent was ended by signal 9.");
    assert_eq!(agent.seen.len(), told + 1, "{:?}", &agent.seen[told..]);
    assert_eq!(agent.seen.iter().filter(|event| matches!(event, AgentEvent::TurnEnded(_))).count(), 1);
    assert_eq!(machine.processes(), [0; 0]);
    store.is(Mood::Well);
    assert_eq!(store.lines(&main_key(&store)).await.len(), stored);
}

#[tokio::test]
async fn a_turn_that_the_cli_cannot_write_is_reported_before_its_end() {
    let (machine, store) = machine().await;
    let mut agent = machine.agent().await;
    agent.say("written").await;
    agent.turn_end().await;
    assert!(errors(&agent).is_empty());

    let projects = machine.home().join("projects");
    let aside = projects.with_extension("aside");
    fs::rename(&projects, &aside).expect("the directory of the transcripts");
    fs::write(&projects, "").expect("a file in its place");
    agent.say("not written").await;
    assert_eq!(agent.turn_end().await.subtype, "success", "the CLI does not tell");
    assert_eq!(errors(&agent), ["transcript_incomplete"]);

    fs::remove_file(&projects).expect("the file");
    fs::rename(&aside, &projects).expect("the directory");
    agent.say("written again").await;
    agent.turn_end().await;
    assert_eq!(errors(&agent), ["transcript_incomplete"], "the next turn is complete");
    let stored = store.lines(&main_key(&store)).await.concat();
    assert!(stored.contains("written again") && !stored.contains("not written"), "{stored}");
    agent.close().await;
}
