//! The SQLite file is locked by another process for longer than a request waits.

use std::time::Duration;

use agent_webkit::{proto::AgentCommand, service::Limits};
use http::{Method, StatusCode};
use serde_json::json;
use sqlx::{Connection, SqliteConnection};

use super::{
    fake::Far,
    restoring::{Disk, Host, names},
    rig::{Reply, request},
};

/// A lock on the file, as another process holds it.
struct Lock(SqliteConnection);

impl Lock {
    async fn on(disk: &Disk) -> Self {
        let url = format!("sqlite:{}", disk.database().display());
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        sqlx::query("begin immediate").execute(&mut connection).await.unwrap();
        Self(connection)
    }

    async fn release(mut self) {
        sqlx::query("rollback").execute(&mut self.0).await.unwrap();
    }
}

fn impatient() -> Limits {
    Limits::default().answer_timeout(Duration::from_millis(200))
}

async fn say(host: &Host, id: &str, key: &str) -> Reply {
    let body = json!({"type": "user_message", "content": key}).to_string();
    let path = format!("/sessions/{id}/input");
    let request = request("ada", Method::POST, &path, &[("idempotency-key", key)], body);
    Reply::of(host.rig.answer(request).await).await
}

/// Tries again as clients do.
async fn say_until_it_is_taken(host: &Host, id: &str, key: &str) {
    while say(host, id, key).await.status != StatusCode::NO_CONTENT {}
}

async fn heard(agent: &mut Far) -> String {
    match agent.hears().await {
        AgentCommand::User { content, .. } => serde_json::from_str(content.get()).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_message_that_was_answered_503_does_not_run() {
    let disk = Disk::new();
    let mut host = disk.host(impatient()).await;
    let (id, mut agent) = host.rig.session().await;
    let lock = Lock::on(&disk).await;
    for key in ["one", "two"] {
        let reply = say(&host, &id, key).await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{reply:?}");
        assert!(reply.header("retry-after").is_some());
    }
    lock.release().await;

    // The client's next try has the same key, and runs once.
    say_until_it_is_taken(&host, &id, "two").await;
    assert_eq!(heard(&mut agent).await, "two");
    let mut events = host.rig.events(&id, None).await;
    assert_eq!(events.until("result").await.data["terminal_reason"], "message_withdrawn");
    agent.ends_turn().await;
    assert_eq!(events.until("result").await.data["subtype"], "success");
    say_until_it_is_taken(&host, &id, "one").await;
    assert_eq!(heard(&mut agent).await, "one");
    assert!(agent.commands.try_recv().is_err());
    let replay = host.replay(&id).await;
    // Whoever watches learns what became of the first one, which was under way to the log.
    let expected =
        ["session_ready", "user_message", "error", "result", "user_message", "result", "user_message"];
    assert_eq!(names(&replay), expected);
    assert_eq!(
        (&replay[1].data["content"], &replay[2].data["code"]),
        (&json!("one"), &json!("message_withdrawn"))
    );
    assert_eq!(replay[3].data["terminal_reason"], "message_withdrawn");
    host.ends_with(agent).await;
}

#[tokio::test]
async fn a_message_that_waits_for_its_turn_and_was_answered_503_does_not_run() {
    let disk = Disk::new();
    let mut host = disk.host(impatient()).await;
    let (id, mut agent) = host.rig.session().await;
    say_until_it_is_taken(&host, &id, "zero").await;
    assert_eq!(heard(&mut agent).await, "zero");
    let lock = Lock::on(&disk).await;
    assert_eq!(say(&host, &id, "one").await.status, StatusCode::SERVICE_UNAVAILABLE);
    lock.release().await;
    say_until_it_is_taken(&host, &id, "two").await;
    agent.ends_turn().await;
    assert_eq!(heard(&mut agent).await, "two", "and not the one before it");
    agent.ends_turn().await;
    // A restored session does not run it either.
    host.ends_with(agent).await;
    let host = disk.host(impatient()).await;
    assert_eq!(names(&host.replay(&id).await).last(), Some(&"result"));
}

#[tokio::test]
async fn a_message_that_starts_an_agent_and_was_answered_503_does_not_run() {
    let disk = Disk::new();
    let mut host = disk.host(impatient()).await;
    let (id, agent) = host.rig.session().await;
    host.ends_with(agent).await;
    host = disk.host(impatient()).await;
    let _events = host.rig.events(&id, None).await;
    let lock = Lock::on(&disk).await;
    assert_eq!(say(&host, &id, "one").await.status, StatusCode::SERVICE_UNAVAILABLE);
    lock.release().await;
    say_until_it_is_taken(&host, &id, "two").await;
    let mut agent = host.rig.agents.recv().await.unwrap();
    assert_eq!(heard(&mut agent).await, "two");
    host.ends_with(agent).await;
}
