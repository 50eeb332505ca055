//! Hibernation: an idle session's agent is stopped, and its clients do not notice.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{
    place::{Place, on_both},
    reader::Reader,
    support::{Builder, Script, Server, eventually, processes::agent_of, tool},
};

on_both! { a_woken_session_remembers }

async fn a_woken_session_remembers(place: Place) {
    let server = hibernating(&place).start().await;
    let mut reader = Reader::create(server.client()).await;
    for (round, word) in ["heliotrope", "vermilion"].into_iter().enumerate() {
        reader.say(word, format!("Another word is {word}.")).await;
        reader.until("result").await;
        let next = reader.next().await;
        assert_eq!((next.event.as_str(), &next["status"]), ("status", &json!("hibernating")));
        eventually("the end of the agent", async || agent_of(&reader.id).is_empty()).await;
        let state = server.client().get(&format!("/sessions/{}", reader.id)).await.json();
        assert_eq!(state["status"], "idle", "after round {round}: {state}");
    }
    let echo = reader.history("history").await;
    assert!(echo.contains("heliotrope") && echo.contains("vermilion"), "{echo}");
    assert_eq!(reader.connections, 1, "the reader stayed where it was");
    reader.replays().await;
}

#[tokio::test]
async fn a_background_task_keeps_the_agent() {
    let place = Place::Sqlite;
    let server = hibernating(&place).start().await;
    let mut reader = Reader::create(server.client()).await;
    let input = json!({"command": "sleep 3600", "run_in_background": true});
    reader.say("task", Script::new(tool("toolu_task", "Bash", &input)).then("It runs.").to_string()).await;
    let task = reader.until("task_update").await["task_id"].clone();
    reader.until("result").await;
    stays_awake(&server, &mut reader).await;
    falls_asleep_after(&server, &mut reader, &json!({"type": "stop_task", "task_id": task})).await;
}

/// A session that hibernates when its server is killed keeps its place in the stream.
#[tokio::test]
async fn a_session_that_sleeps_survives_its_server() {
    let place = Place::Sqlite;
    let server = hibernating(&place).start().await;
    let mut reader = Reader::create(server.client()).await;
    reader.say("word", "The word is heliotrope.").await;
    reader.until("status").await;
    server.signal(Signal::KILL);
    let _server = server.kill().start().await;
    assert!(reader.history("history").await.contains("heliotrope"));
    let events: Vec<_> = reader.shown.iter().map(|frame| frame.event.as_str()).collect();
    assert_eq!(events.iter().filter(|event| **event == "result").count(), 2, "nothing was cut: {events:?}");
    reader.replays().await;
}

fn hibernating(place: &Place) -> Builder {
    place.server().option("--hibernate-after", "1s")
}

/// Waits until another session, which became idle later, hibernates. This one must not.
async fn stays_awake(server: &Server, reader: &mut Reader) {
    let mut other = Reader::create(server.client()).await;
    other.say("clock", "tick").await;
    other.until("status").await;
    assert_eq!(agent_of(&reader.id).len(), 1);
    let state = server.client().get(&format!("/sessions/{}", reader.id)).await.json();
    while state["as_of_seq"] != reader.last_id() {
        assert_ne!(reader.next().await.event, "status");
    }
}

async fn falls_asleep_after(server: &Server, reader: &mut Reader, input: &Value) {
    assert_eq!(server.client().input(&reader.id, input).await.status, 204);
    assert_eq!(reader.until("status").await["status"], "hibernating");
    eventually("the end of the agent", async || agent_of(&reader.id).is_empty()).await;
}
