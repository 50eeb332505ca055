//! Sessions that outlive their server, in a SQLite file.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use agent_webkit::{
    layers::resume::EventLog,
    proto::{AgentCommand, AgentEvent},
    service::Limits,
    storage::{
        Storage, StorageConfig,
        database::Database,
        events::{AnyLog, DurableConfig},
        transcripts::{Entry, TranscriptKey},
    },
};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use super::{
    fake::{FakeAgents, Far},
    rig::{Event, Rig, builder, request},
};

/// The files that servers share which run one after the other.
pub(super) struct Disk {
    data: TempDir,
    workspace: TempDir,
}

/// A server on a [`Disk`].
pub(super) struct Host {
    pub(super) rig: Rig<AnyLog>,
    pub(super) storage: Storage,
}

impl Disk {
    pub(super) fn new() -> Self {
        Self { data: tempfile::tempdir().unwrap(), workspace: tempfile::tempdir().unwrap() }
    }

    /// The SQLite file.
    pub(super) fn database(&self) -> PathBuf {
        self.data.path().join("sessions.db")
    }

    pub(super) async fn host(&self, limits: Limits) -> Host {
        self.host_of(self.workspace.path(), limits, StorageConfig::default()).await
    }

    /// Starts a server that keeps its events so.
    pub(super) async fn host_storing(&self, events: DurableConfig) -> Host {
        let config = StorageConfig::default().events(events);
        self.host_of(self.workspace.path(), Limits::default(), config).await
    }

    /// Starts a server whose agents may work in this workspace.
    async fn host_of(&self, workspace: &Path, limits: Limits, config: StorageConfig) -> Host {
        let database = Database::sqlite(self.database()).await.unwrap();
        let storage = Storage::new(database, config);
        let (agents, far) = FakeAgents::new();
        let stack = builder(agents, workspace).limits(limits).storage(&storage).build();
        let workspace = tempfile::tempdir().unwrap();
        Host { rig: Rig { stack, agents: far, workspace }, storage }
    }
}

impl Host {
    /// Shuts the server down as a deploy does.
    pub(super) async fn ends(self) {
        self.rig.stack.sessions().shutdown().await;
        self.storage.log().shutdown().await;
    }

    /// Shuts the server down while an agent runs, which ends on request.
    pub(super) async fn ends_with(self, mut agent: Far) {
        tokio::join!(self.ends(), async {
            while agent.commands.recv().await.is_some() {}
            drop(agent);
        });
    }

    pub(super) async fn replay(&self, id: &str) -> Vec<Event> {
        let mut events = self.rig.events(id, None).await;
        let mut replay = Vec::new();
        loop {
            let event = events.next().await.unwrap();
            if event.name == "session_state" {
                return replay;
            }
            replay.push(event);
        }
    }
}

fn message(text: &str) -> String {
    json!({"type": "user_message", "content": text}).to_string()
}

pub(super) fn names(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.name.as_str()).collect()
}

fn limits() -> Limits {
    Limits::default()
}

#[tokio::test]
async fn a_stream_goes_on_where_it_was() {
    let disk = Disk::new();
    let mut first = disk.host(limits()).await;
    let (id, mut agent) = first.rig.session().await;
    let mut events = first.rig.events(&id, None).await;
    assert_eq!(first.rig.input(&id, message("hi")).await.status, StatusCode::NO_CONTENT);
    agent.hears().await;
    agent.ends_turn().await;
    events.until("result").await;
    let before = first.replay(&id).await;
    first.ends_with(agent).await;
    assert!(events.rest().await.iter().all(|event| event.name != "done"), "the session is not over");

    let mut second = disk.host(limits()).await;
    let mut events = second.rig.events(&id, Some(2)).await;
    assert_eq!(events.next().await.unwrap(), before[2]);
    assert_eq!(second.rig.input(&id, message("again")).await.status, StatusCode::NO_CONTENT);
    let again = events.until("user_message").await;
    assert_eq!(again.id, Some(before.len() as u64 + 1));
    let mut agent = second.rig.agents.recv().await.unwrap();
    assert!(agent.spec.resume && agent.spec.session_id == id);
    agent.hears().await;
    agent.ends_turn().await;
    assert_eq!(events.until("result").await.data["session_cost_usd"], 1.0);
    let after = second.replay(&id).await;
    assert_eq!(after[..before.len()], before);
    let ids: Vec<_> = after.iter().map(|event| event.id.unwrap()).collect();
    assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_deploy_ends_the_turn_and_keeps_what_waits() {
    let disk = Disk::new();
    let mut first = disk.host(limits()).await;
    let (id, mut agent) = first.rig.session().await;
    for text in ["one", "two"] {
        first.rig.input(&id, message(text)).await;
    }
    agent.hears().await;
    agent.asks("p1").await;
    let mut events = first.rig.events(&id, None).await;
    events.until("permission_request").await;
    first.ends_with(agent).await;
    let rest = events.rest().await;
    assert_eq!(names(&rest).last(), Some(&"result"), "{rest:?}");
    assert_eq!(rest.last().unwrap().data["terminal_reason"], "server_restart");
    assert!(rest.iter().any(|event| event.name == "prompt_resolved" && event.data["outcome"] == "cancelled"));

    let mut second = disk.host(limits()).await;
    let state = second.rig.get(&format!("/sessions/{id}")).await.json();
    assert_eq!(state["pending"], json!([]));
    let mut agent = second.rig.agents.recv().await.unwrap();
    let command = agent.hears().await;
    assert!(format!("{command:?}").contains("two"), "{command:?}");
    let texts = second.replay(&id).await.into_iter().filter(|event| event.name == "user_message");
    let texts: Vec<_> = texts.map(|event| event.data["content"].clone()).collect();
    assert_eq!(texts, ["one", "two"], "each was told once");
}

#[tokio::test]
async fn a_withdrawn_message_stays_withdrawn_and_the_others_wait_on() {
    let disk = Disk::new();
    let mut host = disk.host(limits()).await;
    let (id, agent) = host.rig.session().await;
    let uuid = |n: u8| format!("82015afa-a03{n}-4d03-833e-793f9eaa3b59");
    for n in 1..=4 {
        let said = format!(r#"{{"type":"user_message","content":"{n}","message_uuid":"{}"}}"#, uuid(n));
        assert_eq!(host.rig.input(&id, said).await.status, StatusCode::NO_CONTENT);
    }
    for n in [4, 3] {
        let cancel = format!(r#"{{"type":"cancel_message","message_uuid":"{}"}}"#, uuid(n));
        assert_eq!(host.rig.input(&id, cancel).await.status, StatusCode::NO_CONTENT);
    }
    host.ends_with(agent).await;

    let mut host = disk.host(limits()).await;
    assert_eq!(host.rig.get(&format!("/sessions/{id}")).await.status, StatusCode::OK);
    let mut agent = host.rig.agents.recv().await.unwrap();
    assert!(matches!(agent.hears().await, AgentCommand::User { content, .. } if content.get() == r#""2""#));
    agent.ends_turn().await;
    for n in 1..=4 {
        let again = format!(r#"{{"type":"user_message","content":"{n}","message_uuid":"{}"}}"#, uuid(n));
        assert_eq!(host.rig.input(&id, again).await.status, StatusCode::CONFLICT, "{n}");
    }
    assert!(agent.commands.try_recv().is_err());
    host.ends_with(agent).await;
}

#[tokio::test]
async fn a_repeated_key_runs_nothing_twice_after_a_restart() {
    let disk = Disk::new();
    let mut first = disk.host(limits()).await;
    let (id, agent) = first.rig.session().await;
    let send = |body: String| {
        let path = format!("/sessions/{id}/input");
        request("ada", Method::POST, &path, &[("idempotency-key", "k1")], body)
    };
    assert_eq!(first.rig.answer(send(message("hi"))).await.status(), StatusCode::NO_CONTENT);
    first.ends_with(agent).await;

    let second = disk.host(limits()).await;
    assert_eq!(second.rig.answer(send(message("hi"))).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(second.rig.answer(send(message("ho"))).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let replay = second.replay(&id).await;
    assert_eq!(replay.iter().filter(|event| event.name == "user_message").count(), 1);
}

#[tokio::test]
async fn however_many_ask_a_session_is_restored_once() {
    let disk = Disk::new();
    let mut first = disk.host(limits()).await;
    let (id, mut agent) = first.rig.session().await;
    first.rig.input(&id, message("hi")).await;
    agent.hears().await;
    first.ends_with(agent).await;

    let second = std::sync::Arc::new(disk.host(limits()).await);
    let asks: Vec<_> = (0..20)
        .map(|_| {
            let (second, path) = (std::sync::Arc::clone(&second), format!("/sessions/{id}"));
            tokio::spawn(async move { second.rig.get(&path).await.status })
        })
        .collect();
    for ask in asks {
        assert_eq!(ask.await.unwrap(), StatusCode::OK);
    }
    let replay = second.replay(&id).await;
    assert_eq!(names(&replay).iter().filter(|name| **name == "result").count(), 1, "{replay:?}");
    assert_eq!(second.rig.stack.sessions().len(), 1);
}

#[tokio::test]
async fn stored_sessions_are_listed_to_their_owner_with_title_and_time() {
    let disk = Disk::new();
    let mut first = disk.host(limits()).await;
    let (id, agent) = first.rig.session().await;
    first.rig.input(&id, message("Make a plan.\nA good one.")).await;
    first.ends_with(agent).await;

    let second = disk.host(limits()).await;
    let list = second.rig.get("/sessions").await.json();
    let session = &list["sessions"][0];
    assert_eq!((&session["session_id"], &session["title"]), (&json!(id), &json!("Make a plan.")));
    assert_eq!(session["status"], "idle");
    assert!(session["active_at"].as_u64() >= session["created_at"].as_u64());
    assert!(session["as_of_seq"].as_u64() > Some(1));
    assert!(second.rig.stack.sessions().is_empty(), "a list restores nothing");

    let others = second.rig.ask_as("bob", Method::GET, "/sessions", "").await.json();
    assert_eq!(others["sessions"], json!([]));
    for (method, path) in [
        (Method::GET, format!("/sessions/{id}")),
        (Method::GET, format!("/sessions/{id}/stream")),
        (Method::POST, format!("/sessions/{id}/input")),
    ] {
        assert_eq!(
            second.rig.ask_as("bob", method, &path, message("hi")).await.status,
            StatusCode::NOT_FOUND
        );
    }
    second.rig.ask_as("bob", Method::DELETE, &format!("/sessions/{id}"), "").await;
    assert_eq!(second.rig.get(&format!("/sessions/{id}")).await.status, StatusCode::OK);
    let restored = second.rig.get("/sessions").await.json();
    let keys = |session: &Value| session.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(keys(&restored["sessions"][0]), keys(session), "told the same way, in memory or not");
}

#[tokio::test]
async fn a_deleted_session_leaves_nothing_behind() {
    let disk = Disk::new();
    let mut first = disk.host(limits()).await;
    let (here, mut agent) = first.rig.session().await;
    let (stored, other) = first.rig.session().await;
    for id in [&here, &stored] {
        let key = TranscriptKey::main("project", id.as_str());
        first.storage.transcripts().append(&key, &[entry(&json!({"type": "user"}))]).await.unwrap();
    }
    let events = first.rig.events(&here, None).await;
    let delete = |id: &str| format!("/sessions/{id}");
    assert_eq!(first.rig.ask(Method::DELETE, &delete(&here), "").await.status, StatusCode::NO_CONTENT);
    assert_eq!(names(&events.rest().await).last(), Some(&"done"));
    let gone = first.rig.get(&delete(&here)).await.status;
    assert_eq!(gone, StatusCode::NOT_FOUND, "it is not there, whatever of it is still to be deleted");
    agent.is_let_go().await;
    drop((agent, other));
    first.ends().await;

    let second = disk.host(limits()).await;
    assert_eq!(second.rig.ask(Method::DELETE, &delete(&stored), "").await.status, StatusCode::NO_CONTENT);
    for id in [&here, &stored] {
        assert_eq!(second.rig.get(&delete(id)).await.status, StatusCode::NOT_FOUND);
        assert!(second.storage.transcripts().find(id).await.unwrap().is_empty());
        assert!(second.storage.log().find(id).await.unwrap().is_none());
    }
    assert_eq!(second.rig.get("/sessions").await.json()["sessions"], json!([]));
}

#[tokio::test]
async fn a_session_that_is_being_deleted_is_not_found_again() {
    let disk = Disk::new();
    let mut host = disk.host(limits()).await;
    let (id, mut agent) = host.rig.session().await;
    let cwd = disk.workspace.path().canonicalize().unwrap();
    let key = TranscriptKey::main("project", id.as_str());
    let said = entry(&json!({"type": "user", "cwd": cwd}));
    host.storage.transcripts().append(&key, &[said]).await.unwrap();
    let path = format!("/sessions/{id}");
    assert_eq!(host.rig.ask(Method::DELETE, &path, "").await.status, StatusCode::NO_CONTENT);
    agent.is_let_go().await;
    // The agent is still there, and so is its transcript.
    assert_eq!(host.rig.get(&path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(host.rig.input(&id, message("hi")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(host.rig.ask(Method::DELETE, &path, "").await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_session_that_another_host_deleted_has_no_stream() {
    let disk = Disk::new();
    let mut first = disk.host(limits()).await;
    let (id, agent) = first.rig.session().await;
    first.ends_with(agent).await;

    let (host, other) = (disk.host(limits()).await, disk.host(limits()).await);
    assert_eq!(host.replay(&id).await.len(), 1);
    // As a host does whose request the session's own host does not answer.
    other.storage.persistence().catalog.tombstone(&id).await.unwrap();
    other.storage.log().forget(&id).await.unwrap();
    let path = format!("/sessions/{id}/stream");
    // Whoever has read everything waits until the host notices.
    for (last, expected) in
        [("0", StatusCode::NOT_FOUND), ("1", StatusCode::OK), ("2", StatusCode::NOT_FOUND)]
    {
        let answer =
            host.rig.answer(request("ada", Method::GET, &path, &[("last-event-id", last)], "")).await;
        assert_eq!(answer.status(), expected, "after {last}");
    }
}

#[tokio::test]
async fn a_session_at_rest_leaves_the_memory_and_comes_back() {
    let disk = Disk::new();
    let mut host = disk.host(limits().hibernate_after(Duration::from_millis(50))).await;
    let (id, mut agent) = host.rig.session().await;
    agent.is_let_go().await;
    drop(agent);
    while !host.rig.stack.sessions().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(host.rig.input(&id, message("hi")).await.status, StatusCode::NO_CONTENT);
    let mut agent = host.rig.agents.recv().await.unwrap();
    assert!(agent.spec.resume);
    agent.hears().await;
    assert_eq!(names(&host.replay(&id).await), ["session_ready", "status", "user_message"]);
}

#[tokio::test]
async fn a_watched_session_at_rest_keeps_its_readers() {
    let disk = Disk::new();
    let mut host = disk.host(limits().hibernate_after(Duration::from_millis(50))).await;
    let (id, mut agent) = host.rig.session().await;
    let mut events = host.rig.events(&id, None).await;
    assert_eq!(events.until("status").await.data, json!({"status": "hibernating"}));
    agent.is_let_go().await;
    drop(agent);
    host.rig.input(&id, message("hi")).await;
    assert_eq!(events.next().await.unwrap().name, "user_message");
    assert!(host.rig.agents.recv().await.unwrap().spec.resume);
}

#[tokio::test]
async fn an_idle_session_only_leaves_the_memory() {
    let disk = Disk::new();
    let mut host = disk.host(limits().idle_timeout(Duration::from_millis(50))).await;
    let (id, mut agent) = host.rig.session().await;
    agent.is_let_go().await;
    drop(agent);
    while !host.rig.stack.sessions().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(names(&host.replay(&id).await), ["session_ready"]);
}

#[tokio::test]
async fn retention_ends_what_nobody_uses() {
    let disk = Disk::new();
    let mut first = disk.host(limits()).await;
    let (id, agent) = first.rig.session().await;
    first.ends_with(agent).await;

    let second = disk.host(limits().retention(Duration::from_millis(1))).await;
    while second.rig.get("/sessions").await.json()["sessions"] != json!([]) {
        tokio::task::yield_now().await;
    }
    assert_eq!(second.rig.get(&format!("/sessions/{id}")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_transcript_without_a_row_is_adopted_by_whom_the_operator_names() {
    let disk = Disk::new();
    let cwd = disk.workspace.path().canonicalize().unwrap();
    let (id, outside) = (Uuid::new_v4().to_string(), Uuid::new_v4().to_string());
    let database = Database::sqlite(disk.data.path().join("sessions.db")).await.unwrap();
    let Database::Sqlite(file) = database else { unreachable!("it was opened as one") };
    let store = agent_webkit::storage::transcripts::SqliteTranscripts::new(file);
    for (id, cwd) in [(&id, cwd.to_str().unwrap()), (&outside, "/")] {
        let entries = [entry(&json!({"type": "user", "cwd": cwd})), entry(&json!({"type": "summary"}))];
        let key = TranscriptKey::main("-work", id.as_str());
        agent_webkit::storage::transcripts::TranscriptStore::append(&store, &key, &entries).await.unwrap();
    }
    drop(store);

    let mut host = disk.host(limits()).await;
    let bobs = host.rig.ask_as("bob", Method::GET, &format!("/sessions/{id}"), "").await;
    assert_eq!(bobs.status, StatusCode::NOT_FOUND, "it is not for whoever asks first");
    assert_eq!(host.rig.input(&id, message("hi")).await.status, StatusCode::NO_CONTENT);
    let agent = host.rig.agents.recv().await.unwrap();
    assert_eq!((agent.spec.resume, &agent.spec.cwd), (true, &cwd));
    assert_eq!(names(&host.replay(&id).await), ["session_ready", "user_message"]);
    for id in [outside, Uuid::new_v4().to_string()] {
        assert_eq!(host.rig.get(&format!("/sessions/{id}")).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn no_agent_starts_where_it_may_not_work_any_more() {
    let disk = Disk::new();
    let mut first = disk.host(limits()).await;
    let (id, agent) = first.rig.session().await;
    first.ends_with(agent).await;

    let elsewhere = tempfile::tempdir().unwrap();
    let mut second = disk.host_of(elsewhere.path(), limits(), StorageConfig::default()).await;
    let mut events = second.rig.events(&id, None).await;
    assert_eq!(second.rig.input(&id, message("hi")).await.status, StatusCode::NO_CONTENT);
    let error = events.until("error").await.data;
    assert!(error["message"].as_str().unwrap().contains("workspace"), "{error}");
    assert_eq!(events.until("result").await.data["is_error"], true);
    assert!(second.rig.agents.try_recv().is_err());
}

#[tokio::test]
async fn a_fenced_agent_ends_the_sessions_stay() {
    let disk = Disk::new();
    let mut host = disk.host(limits()).await;
    let (id, mut agent) = host.rig.session().await;
    let events = host.rig.events(&id, None).await;
    agent.say(AgentEvent::Fenced).await;
    assert!(matches!(agent.commands.recv().await, Some(agent_webkit::proto::AgentCommand::Abort) | None));
    drop(agent);
    assert_eq!(names(&events.rest().await), ["session_ready", "session_state"]);
}

fn entry(value: &Value) -> Entry {
    Entry::new(serde_json::value::to_raw_value(value).unwrap()).unwrap()
}

#[tokio::test]
async fn a_ticket_holds_over_a_restart_and_for_its_lifetime() {
    let disk = Disk::new();
    let mut first = disk.host(limits()).await;
    let (id, agent) = first.rig.session().await;
    let issue = async |host: &Host| {
        let reply = host.rig.ask(Method::POST, &format!("/sessions/{id}/tickets"), "").await;
        format!("/sessions/{id}/stream?ticket={}", reply.json()["ticket"].as_str().unwrap())
    };
    let url = issue(&first).await;
    first.ends_with(agent).await;

    let second = disk.host(limits().ticket_lifetime(Duration::ZERO)).await;
    let reconnect = |url: &str| Request::get(url).body(Full::<Bytes>::default()).unwrap();
    assert_eq!(second.rig.open(reconnect(&url)).await.next().await.unwrap().name, "session_ready");
    let expired = issue(&second).await;
    assert_eq!(second.rig.answer(reconnect(&expired)).await.status(), StatusCode::UNAUTHORIZED);
    second.ends().await;
}
