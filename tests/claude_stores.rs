//! The real CLI on the real transcript stores: what a database returns is enough to continue a conversation.

#[path = "support/claude_agent.rs"]
#[allow(dead_code, reason = "every test crate uses another part of it")]
mod claude_agent;
#[path = "support/ports.rs"]
mod ports;
#[path = "support/postgres.rs"]
mod postgres;

use std::sync::Arc;

use agent_webkit::{
    agent::SessionSpec,
    storage::{
        database::Database,
        transcripts::{PgTranscripts, SqliteTranscripts, TranscriptKey, TranscriptStore},
    },
};
use claude_agent::{
    Machine,
    script::{Script, tool},
};
use postgres::TestDatabase;
use serde_json::json;

/// One machine has a conversation with a sub-agent, and another machine continues it.
async fn a_conversation_moves<S: TranscriptStore>(open: impl AsyncFn() -> S) {
    let store = Arc::new(open().await);
    let first = Machine::new().await.with(|claude| claude.transcripts(store));
    let spec = first.spec();
    let mut agent = first.start(spec.clone()).await;
    agent.say("remember the word heron").await;
    agent.turn_end().await;
    let inner = Script::text("inner words").to_string();
    let input = json!({"description": "do it", "prompt": inner, "subagent_type": "general-purpose"});
    agent.say(Script::new(tool("toolu_sub", "Task", &input)).then("outer final").then("after")).await;
    while !agent.turn_end().await.unprompted {}
    agent.close().await;
    drop(first);

    let store = Arc::new(open().await);
    let kept = Arc::clone(&store);
    let second = Machine::new().await.with(|claude| claude.transcripts(store));
    let mut again = SessionSpec::new(&spec.session_id, second.workspace());
    again.resume = true;
    let mut agent = second.start(again).await;
    agent.say(Script::text("ECHO_HISTORY")).await;
    while agent.turn_end().await.unprompted {}
    let memory = agent.text();
    assert!(memory.contains("remember the word heron"), "{memory}");
    agent.close().await;

    let projects = kept.find(&spec.session_id).await.unwrap();
    let [project] = &projects[..] else { panic!("{projects:?}") };
    let main = TranscriptKey::main(project, &spec.session_id);
    let mut subkeys = kept.list_subkeys(&main).await.unwrap();
    subkeys.sort();
    let [files, sub_agent] = &subkeys[..] else { panic!("{subkeys:?}") };
    assert_eq!(files, "agent-webkit/files");
    assert!(sub_agent.starts_with("subagents/"), "{sub_agent}");
    let lines: Vec<_> = kept.load(&main).await.unwrap().unwrap();
    assert!(lines.iter().any(|line| line.json().get().contains("ECHO_HISTORY")), "it is one transcript");
}

#[tokio::test]
async fn a_conversation_goes_on_from_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    a_conversation_moves(async || {
        let Database::Sqlite(file) = Database::sqlite(&path).await.unwrap() else { panic!("it is SQLite") };
        SqliteTranscripts::new(file)
    })
    .await;
}

#[tokio::test]
async fn a_conversation_goes_on_from_postgres() {
    let database = TestDatabase::new().await;
    a_conversation_moves(async || PgTranscripts::connect(database.url(), 0, 2).await.unwrap()).await;
}
