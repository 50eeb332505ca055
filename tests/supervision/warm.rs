//! Agents that were started ahead are supervised like any other.

use std::{collections::BTreeSet, time::Duration};

use rustix::process::Signal;
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{
    Builder, Server, Session, eventually,
    processes::{Process, agent_of, matching},
};

fn warm(agents: usize) -> Builder {
    Server::builder().option("--warm", agents.to_string())
}

/// The agents of this server, including those of sessions.
fn agents(server: &Server) -> Vec<Process> {
    let is_agent = |args: &[String]| args.iter().any(|arg| arg.starts_with("--session-id="));
    matching(is_agent).into_iter().filter(|process| process.parent() == Some(server.pid())).collect()
}

fn ids(agents: &[Process]) -> BTreeSet<String> {
    let id = |process: &Process| {
        process.args.iter().find_map(|arg| arg.strip_prefix("--session-id=").map(str::to_owned))
    };
    agents.iter().filter_map(id).collect()
}

async fn so_many_run(server: &Server, count: usize) -> Vec<Process> {
    eventually("the number of agents", async || agents(server).len() == count).await;
    agents(server)
}

#[tokio::test]
async fn a_session_is_given_one_that_waits_and_another_is_started() {
    let server = warm(2).start().await;
    let waiting = ids(&so_many_run(&server, 2).await);
    let mut session = server.session().await;
    assert!(waiting.contains(&session.id), "{} is not of {waiting:?}", session.id);
    session.turn("hello").await;
    assert_eq!(session.events.seen[0]["session_id"], session.id.as_str());
    let now = ids(&so_many_run(&server, 3).await);
    assert!(now.is_superset(&waiting));

    let wishes = server.session_with(&json!({"permission_mode": "plan"})).await;
    assert!(!now.contains(&wishes.id));
    wishes.close().await;
    let id = session.id.clone();
    session.close().await;
    eventually("the end of its agent", async || agent_of(&id).is_empty()).await;
    assert_eq!(so_many_run(&server, 2).await.len(), 2);
}

#[tokio::test]
async fn one_that_is_killed_is_replaced() {
    let server = warm(1).start().await;
    let killed = so_many_run(&server, 1).await;
    killed[0].kill();
    let dead = ids(&killed);
    eventually("another one", async || {
        let now = ids(&agents(&server));
        now.len() == 1 && now != dead
    })
    .await;
    let mut session = server.session().await;
    assert!(!dead.contains(&session.id));
    session.turn("hello").await;
    session.close().await;
}

#[tokio::test]
async fn sigterm_ends_them() {
    let mut server = warm(2).start().await;
    let waiting = ids(&so_many_run(&server, 2).await);
    server.signal(Signal::TERM);
    let status = server.wait(Duration::from_secs(15)).expect("the server ends within 15 s");
    assert!(status.success(), "{status}");
    assert!(waiting.iter().all(|id| agent_of(id).is_empty()));
    let state = server.dir("home").join(".local/share/agent-webkit");
    let left = std::fs::read_dir(state).expect("the folder of its database");
    let left: Vec<_> = left.map(|entry| entry.expect("an entry").file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("agent-webkit-")), "{left:?}");
}

#[tokio::test]
async fn kill_9_of_the_server_leaves_none() {
    let mut server = warm(2).start().await;
    let waiting = ids(&so_many_run(&server, 2).await);
    server.signal(Signal::KILL);
    server.wait(Duration::from_secs(5)).expect("a killed server is dead");
    for id in waiting {
        eventually("the end of an agent", async || agent_of(&id).is_empty()).await;
    }
}

#[tokio::test]
async fn many_at_once_get_each_their_own() {
    let server = warm(2).start().await;
    so_many_run(&server, 2).await;
    let mut turns = JoinSet::new();
    for number in 0..5 {
        let client = server.client();
        turns.spawn(async move {
            let mut session = Session::create(client, &json!({})).await;
            session.turn(format!("I am {number}")).await;
            let answer = session.events.all("message_complete").last().expect("an answer");
            assert!(answer["message"].to_string().contains(&format!("I am {number}")), "{answer:?}");
            let id = session.id.clone();
            session.close().await;
            id
        });
    }
    let ids: BTreeSet<String> = turns.join_all().await.into_iter().collect();
    assert_eq!(ids.len(), 5);
}
