//! No process is left behind when the session, the server or the agent ends, and a conversation survives its
//! agent.
#![cfg(all(feature = "cli", target_os = "linux"))]

#[path = "../support/mod.rs"]
mod support;

mod agent_user;
mod warm;

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use rustix::process::Signal;
use serde_json::json;
use support::{
    Script, Server, Session, eventually,
    processes::{agent_of, sleeps},
    tool,
};

/// Returns a length for a `sleep` that no other test uses, by which its process is found.
fn a_length_of_its_own() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    3_000_000 + u64::from(std::process::id()) * 100 + NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A session with a background shell, and the length of the shell's `sleep`.
async fn with_background_shell(server: &Server) -> (Session, u64) {
    let mut session = server.session().await;
    let length = a_length_of_its_own();
    let input = json!({"command": format!("sleep {length}"), "run_in_background": true});
    session.turn(Script::new(json!([tool("toolu_bg", "Bash", &input)])).then("It runs.")).await;
    eventually("the background shell", async || !sleeps(length).is_empty()).await;
    (session, length)
}

async fn assert_nothing_left(session_id: &str, length: u64) {
    eventually("the end of the agent", async || agent_of(session_id).is_empty()).await;
    eventually("the end of the background shell", async || sleeps(length).is_empty()).await;
}

#[tokio::test]
async fn delete_ends_the_agent_and_its_background_shell() {
    let server = Server::start().await;
    let (session, length) = with_background_shell(&server).await;
    let id = session.id.clone();
    session.close().await;
    assert_nothing_left(&id, length).await;
}

#[tokio::test]
async fn delete_ends_a_running_turn() {
    let server = Server::start().await;
    let mut session = server.session().await;
    session.say(Script::slow(10_000, 20)).await;
    session.until("message_delta").await;
    let id = session.id.clone();
    session.close().await;
    eventually("the end of the agent", async || agent_of(&id).is_empty()).await;
}

#[tokio::test]
async fn sigterm_ends_streams_agents_and_the_server() {
    sigterm_ends_everything(Server::start().await, false).await;
}

#[tokio::test]
async fn sigterm_ends_sessions_that_are_not_stored() {
    sigterm_ends_everything(Server::builder().option("--store", "memory").start().await, true).await;
}

async fn sigterm_ends_everything(mut server: Server, sessions_too: bool) {
    let (mut session, length) = with_background_shell(&server).await;
    server.signal(Signal::TERM);
    let events = session.events.rest().await;
    assert_eq!(events.iter().any(|frame| frame.event == "done"), sessions_too);
    let status = server.wait(Duration::from_secs(15)).expect("the server ends within 15 s");
    assert!(status.success(), "{status}");
    assert!(agent_of(&session.id).is_empty());
    assert!(sleeps(length).is_empty());
}

#[tokio::test]
async fn a_second_signal_ends_the_server_at_once_and_leaves_nothing() {
    let mut server = Server::start().await;
    let (session, length) = with_background_shell(&server).await;
    server.signal(Signal::TERM);
    eventually("the drain", async || server.log().contains("drain")).await;
    server.signal(Signal::INT);
    server.wait(Duration::from_secs(2)).expect("the server ends at once");
    assert_nothing_left(&session.id, length).await;
}

#[tokio::test]
async fn kill_9_of_the_server_leaves_nothing() {
    let mut server = Server::start().await;
    let (session, length) = with_background_shell(&server).await;
    session.say(Script::slow(10_000, 20)).await;
    server.signal(Signal::KILL);
    server.wait(Duration::from_secs(5)).expect("a killed server is dead");
    assert_nothing_left(&session.id, length).await;
}

#[tokio::test]
async fn an_idle_agents_death_is_told_and_the_conversation_goes_on() {
    let server = Server::start().await;
    let (mut session, length) = with_background_shell(&server).await;
    session.turn("the secret word is heliotrope").await;
    for agent in agent_of(&session.id) {
        agent.kill();
    }
    let error = session.until("error").await;
    assert_eq!(error["code"], "agent_exited");
    assert!(error.str("message").contains("signal"), "{error:?}");
    eventually("the end of the background shell", async || sleeps(length).is_empty()).await;

    session.turn(Script::new("ECHO_HISTORY")).await;
    let answer = session.events.all("message_complete").last().expect("an answer");
    assert!(answer["message"].to_string().contains("heliotrope"), "{answer:?}");
    session.close().await;
}

#[tokio::test]
async fn an_agents_death_ends_its_turn_and_its_prompts() {
    let server = Server::start().await;
    let mut session = server.session().await;
    session.turn("the secret word is vermilion").await;
    session.say(Script::bash("touch asked")).await;
    let request = session.until("permission_request").await;
    for agent in agent_of(&session.id) {
        agent.kill();
    }
    let resolved = session.until("prompt_resolved").await;
    assert_eq!(resolved["correlation_id"], request["correlation_id"]);
    assert_eq!(resolved["outcome"], "cancelled");
    session.until("error").await;
    let result = session.until("result").await;
    assert_eq!(result["subtype"], "error_during_execution");
    assert_eq!(session.input(&support::allow(&request)).await.status, 409);

    session.turn(Script::new("ECHO_HISTORY")).await;
    let answer = session.events.all("message_complete").last().expect("an answer");
    assert!(answer["message"].to_string().contains("vermilion"), "{answer:?}");
    session.close().await;
}

#[tokio::test]
async fn messages_queued_at_the_agents_death_still_get_their_turns() {
    let server = Server::start().await;
    let mut session = server.session().await;
    session.say(Script::slow(10_000, 20)).await;
    session.say("the second").await;
    session.until("message_delta").await;
    for agent in agent_of(&session.id) {
        agent.kill();
    }
    assert_eq!(session.until("result").await["subtype"], "error_during_execution");
    assert_eq!(session.until("result").await["subtype"], "success");
    session.close().await;
}

#[tokio::test]
async fn the_servers_secrets_never_reach_the_agent() {
    let secrets = ["hunter2-token", "postgres://hunter2", "hunter2-other"];
    let server = Server::builder()
        .no_token()
        .env("AGENT_WEBKIT_AUTH_TOKEN", secrets[0])
        .env("DATABASE_URL", secrets[1])
        .env("UNRELATED_SECRET", secrets[2])
        .start()
        .await;
    let client = support::Client::new(server.url(), Some(secrets[0]));
    let mut session = Session::create(client, &json!({})).await;
    session.turn("hello").await;
    let agents = agent_of(&session.id);
    assert_eq!(agents.len(), 1, "{agents:?}");
    for agent in &agents {
        let seen = format!("{:?}\n{}", agent.args, agent.environment());
        for secret in secrets {
            assert!(!seen.contains(secret), "{secret} in {seen}");
        }
    }
    session.close().await;
}
