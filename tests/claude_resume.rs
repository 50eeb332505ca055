//! Conversations that the real CLI continues from the transcript store alone.

#[path = "support/claude_agent.rs"]
#[allow(dead_code, reason = "every test crate uses another part of it")]
mod support;

use std::{fs, path::Path, sync::Arc};

use agent_webkit::{
    agent::SessionSpec,
    proto::AgentEvent,
    storage::transcripts::{Entry, TranscriptKey, TranscriptStore},
};
use serde_json::{Value, json, value::RawValue};
use support::{
    Agent, Machine,
    faulty_store::{FaultyStore, Mood},
    kill,
    script::{Script, tool},
};
use tower::ServiceExt;

/// A machine without local transcripts, with this transcript store.
async fn machine(store: &FaultyStore) -> Machine {
    let shared = Arc::new(store.clone());
    Machine::new().await.with(|claude| claude.transcripts(shared))
}

/// The spec that resumes the session in this machine's workspace.
fn again(machine: &Machine, spec: &SessionSpec) -> SessionSpec {
    let mut again = SessionSpec::new(&spec.session_id, machine.workspace());
    again.resume = true;
    again
}

/// The conversation so far, as the model receives it.
async fn memory(agent: &mut Agent) -> String {
    agent.say(Script::text("ECHO_HISTORY")).await;
    while agent.turn_end().await.unprompted {}
    agent.text()
}

fn entry(json: &Value) -> Entry {
    Entry::new(RawValue::from_string(json.to_string()).unwrap()).unwrap()
}

#[tokio::test]
async fn a_conversation_goes_on_where_only_the_store_knows_it() {
    let store = FaultyStore::new();
    let first = machine(&store).await;
    let spec = first.spec();
    let mut agent = first.start(spec.clone()).await;
    agent.say("remember the word heron").await;
    agent.turn_end().await;
    agent.close().await;
    drop(first);

    // On another machine, in another directory, the session still has one transcript, under its first key.
    let keys = store.keys();
    let second = machine(&store).await;
    let mut agent = second.start(again(&second, &spec)).await;
    let memory = memory(&mut agent).await;
    assert!(memory.contains("remember the word heron"), "{memory}");
    agent.close().await;
    assert_eq!(store.keys(), keys);
    assert!(store.lines(&keys[0]).await.concat().contains("ECHO_HISTORY"));
}

#[tokio::test]
async fn a_gap_in_the_transcript_costs_no_more_than_what_is_missing() {
    let store = FaultyStore::new();
    let first = machine(&store).await;
    let spec = first.spec();
    let mut agent = first.start(spec.clone()).await;
    for word in ["heron", "egret", "ibis", "crane"] {
        agent.say(word).await;
        agent.turn_end().await;
    }
    agent.close().await;

    let key = store.keys().remove(0);
    let mut turn = 0;
    let lines = store.lines(&key).await;
    let left = lines.iter().filter_map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        turn += u32::from(line["type"] == "user");
        (turn < 3 || (turn == 4 && line["type"] == "user")).then(|| entry(&line))
    });
    let with_gap = FaultyStore::new();
    with_gap.append(&key, &left.collect::<Vec<_>>()).await.unwrap();
    let second = machine(&with_gap).await;
    let mut agent = second.start(again(&second, &spec)).await;
    let memory = memory(&mut agent).await;
    agent.close().await;
    let known = ["heron", "egret", "ibis", "crane"].map(|word| memory.contains(word));
    assert_eq!(known, [true, true, false, true], "{memory}");
}

#[tokio::test]
async fn a_conversation_survives_a_kill_in_the_middle_of_a_turn() {
    let store = FaultyStore::new();
    let first = machine(&store).await;
    let spec = first.spec();
    let mut agent = first.start(spec.clone()).await;
    agent.say("remember the word heron").await;
    agent.turn_end().await;
    agent.say(Script::slow(1000, 20)).await;
    agent.until(|event| matches!(event, AgentEvent::Delta { .. }).then_some(())).await;
    kill(first.cli());
    agent.exited().await;
    drop(first);

    let second = machine(&store).await;
    let mut agent = second.start(again(&second, &spec)).await;
    let memory = memory(&mut agent).await;
    assert!(memory.contains("remember the word heron"), "{memory}");
    agent.close().await;
}

#[tokio::test]
async fn a_cleared_conversation_stays_cleared_and_goes_on() {
    let store = FaultyStore::new();
    let machine = machine(&store).await;
    let spec = machine.spec();
    let mut agent = machine.start(spec.clone()).await;
    for words in ["remember the word heron", "/clear", "remember the word egret"] {
        agent.say(words).await;
        agent.turn_end().await;
    }
    agent.close().await;
    let mut agent = machine.start(again(&machine, &spec)).await;
    let memory = memory(&mut agent).await;
    assert!(memory.contains("the word egret") && !memory.contains("heron"), "{memory}");
    agent.close().await;
    let keys = store.keys();
    assert!(keys.iter().all(|key| key.session_id == spec.session_id), "{keys:?}");
}

#[tokio::test]
async fn a_conversation_that_was_just_cleared_is_not_remembered() {
    let store = FaultyStore::new();
    let machine = machine(&store).await;
    let spec = machine.spec();
    let mut agent = machine.start(spec.clone()).await;
    for words in ["remember the word heron", "/clear"] {
        agent.say(words).await;
        agent.turn_end().await;
    }
    agent.close().await;
    let mut agent = machine.start(again(&machine, &spec)).await;
    let memory = memory(&mut agent).await;
    assert!(memory.contains("ECHO_HISTORY") && !memory.contains("heron"), "{memory}");
    agent.close().await;
}

#[tokio::test]
async fn a_long_working_directory_is_found_again() {
    let store = FaultyStore::new();
    let machine = machine(&store).await;
    let long = machine.workspace().join("x".repeat(120)).join("y".repeat(120));
    fs::create_dir_all(&long).unwrap();
    let mut spec = SessionSpec::new(machine.spec().session_id, long);
    let mut agent = machine.start(spec.clone()).await;
    agent.say("remember the word heron").await;
    agent.turn_end().await;
    agent.close().await;

    spec.resume = true;
    let mut agent = machine.start(spec).await;
    let memory = memory(&mut agent).await;
    assert!(memory.contains("remember the word heron"), "{memory}");
    agent.close().await;
    assert_eq!(store.keys().len(), 1);
}

#[tokio::test]
async fn sub_agents_come_back_with_the_session() {
    let store = FaultyStore::new();
    let first = machine(&store).await;
    let spec = first.spec();
    let mut agent = first.start(spec.clone()).await;
    let inner = Script::text("inner words").to_string();
    let input = json!({"description": "do it", "prompt": inner, "subagent_type": "general-purpose"});
    agent.say(Script::new(tool("toolu_sub", "Task", &input)).then("outer final").then("after")).await;
    while !agent.turn_end().await.unprompted {}
    agent.close().await;
    let sub = store.keys().into_iter().find(|key| !key.is_main()).expect("a sub-agent's");
    drop(first);

    let second = machine(&store).await;
    let mut agent = second.start(again(&second, &spec)).await;
    memory(&mut agent).await;
    let project = fs::read_dir(second.home().join("projects")).unwrap().next().unwrap().unwrap().path();
    let file = project.join(&spec.session_id).join(format!("{}.jsonl", sub.subpath));
    let lines = store.lines(&sub).await;
    let (metadata, messages): (Vec<&String>, Vec<&String>) =
        lines.iter().partition(|line| line.contains("\"type\":\"agent_metadata\""));
    assert_eq!(fs::read_to_string(&file).unwrap().lines().collect::<Vec<_>>(), messages);
    let read = |json: &str| serde_json::from_str::<Value>(json).unwrap();
    let mut expected = read(metadata.last().expect("it is described"));
    expected.as_object_mut().unwrap().remove("type");
    let sidecar = file.with_file_name(format!("{}.meta.json", file.file_stem().unwrap().to_str().unwrap()));
    assert_eq!(read(&fs::read_to_string(sidecar).unwrap()), expected);
    agent.close().await;
}

#[tokio::test]
async fn hostile_names_in_the_store_write_nothing_elsewhere() {
    let store = FaultyStore::new();
    let machine = machine(&store).await;
    let spec = machine.spec();
    let outside = machine.dirs.path().join("outside");
    let user = json!({"type": "user", "uuid": spec.session_id, "parentUuid": null,
        "sessionId": spec.session_id, "message": {"role": "user", "content": "remember the word heron"}});
    let main = TranscriptKey::main("../../../../../../tmp/elsewhere", &spec.session_id);
    store.put(&main, &[entry(&user)]).await;
    store.put(&main.with_subpath("subagents/agent-fine"), &[entry(&user)]).await;
    let climb = "../".repeat(12);
    let outside_by_name = outside.to_str().unwrap();
    store.claims([
        format!("{climb}{outside_by_name}"),
        format!("subagents/{climb}{outside_by_name}"),
        outside_by_name.to_owned(),
        "..".to_owned(),
        String::from("a\0b"),
        "x".repeat(5000),
    ]);
    let mut agent = machine.start(again(&machine, &spec)).await;
    agent.until(|event| matches!(event, AgentEvent::Ready).then_some(())).await;
    assert!(!outside.with_extension("jsonl").exists());
    let mut written = Vec::new();
    transcripts_below(&machine.home(), &mut written);
    written.sort();
    let mut expected = [format!("{}.jsonl", spec.session_id), "agent-fine.jsonl".to_owned()];
    expected.sort();
    assert_eq!(written, expected);
    let memory = memory(&mut agent).await;
    assert!(memory.contains("remember the word heron"), "{memory}");
    agent.close().await;
}

fn transcripts_below(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            transcripts_below(&entry.path(), found);
        } else if name.ends_with(".jsonl") {
            found.push(name);
        }
    }
}

#[tokio::test]
async fn an_agent_that_would_have_forgotten_its_past_is_not_started() {
    let store = FaultyStore::new();
    let machine = machine(&store).await;
    store.is(Mood::Away);
    let refused = machine.claude.clone().oneshot(again(&machine, &machine.spec())).await.unwrap_err();
    assert_eq!(refused.to_string(), "the session's transcript cannot be loaded");
    assert_eq!(machine.processes(), [0; 0]);

    // A start waits for a short outage of the transcript store.
    let start = tokio::spawn(machine.claude.clone().oneshot(again(&machine, &machine.spec())));
    store.asked(2).await;
    assert!(!start.is_finished());
    store.is(Mood::Well);
    drop(start.await.unwrap().expect("it starts"));
    machine.tracker.close();
    machine.tracker.wait().await;
}

#[tokio::test]
async fn a_past_without_a_message_starts_anew() {
    let store = FaultyStore::new();
    let machine = machine(&store).await;
    let spec = machine.spec();
    let old = entry(&json!({"type": "queue-operation"}));
    store.put(&TranscriptKey::main("-w", &spec.session_id), &[old]).await;
    let mut agent = machine.start(again(&machine, &spec)).await;
    agent.say("hello").await;
    assert_eq!(agent.turn_end().await.subtype, "success");
    agent.close().await;
    assert_eq!(store.keys().len(), 1, "the transcript stays one");
}
