//! Agents that are started ahead.

use std::time::Duration;

use agent_webkit::{
    proto::{AgentCommand, AgentEvent},
    service::Limits,
};
use http::StatusCode;
use tokio::{
    sync::mpsc::UnboundedReceiver,
    time::{Instant, sleep},
};

use super::{
    fake::{FakeAgents, Far},
    rig::Rig,
};

fn rig(agents: usize) -> Rig {
    Rig::with(Limits::default().warm(agents))
}

/// Advances the clock by this time and returns the agents that were started.
async fn started_within(time: Duration, rig: &mut Rig) -> Vec<Far> {
    sleep(time).await;
    let agents = &mut rig.agents;
    std::iter::from_fn(|| agents.try_recv().ok()).collect()
}

async fn one(agents: &mut UnboundedReceiver<Far>) -> Far {
    agents.recv().await.unwrap()
}

/// Checks that the agent is ended at once, and not because of its age.
async fn is_let_go_at_once(agent: &mut Far) {
    let asked = Instant::now();
    agent.is_let_go().await;
    assert!(asked.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn so_many_agents_wait_and_no_more() {
    let mut rig = rig(3);
    let agents = started_within(Duration::from_secs(60), &mut rig).await;
    assert_eq!(agents.len(), 3);
    for agent in &agents {
        assert_eq!(agent.spec.cwd, rig.workspace.path().canonicalize().unwrap());
        assert!(!agent.spec.resume);
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_takes_the_oldest_agent_with_its_id_and_its_words_and_another_follows() {
    let mut rig = rig(2);
    let [first, second] = &mut started_within(Duration::from_secs(60), &mut rig).await[..] else {
        panic!("two wait")
    };
    first.say(AgentEvent::McpStatus { server_name: "s".into(), status: "connected".into() }).await;
    // The event arrives while no session has the agent.
    sleep(Duration::from_secs(1)).await;

    let id = rig.create("").await.session_id();
    assert_eq!(id, first.spec.session_id);
    let mut events = rig.events(&id, None).await;
    assert_eq!(events.until("session_ready").await.id, Some(1));
    assert_eq!(events.until("mcp_status_change").await.data["server_name"], "s");
    let AgentCommand::SetOwner { owner } = first.hears().await else { panic!("it learns whose it is") };
    assert_eq!((&*owner, first.spec.owner.as_deref()), ("ada", None));
    assert_eq!(rig.input(&id, r#"{"type":"user_message","content":"hi"}"#).await.status, 204);
    first.hears().await;

    let claimed = Instant::now();
    let third = one(&mut rig.agents).await;
    assert!(claimed.elapsed() >= Duration::from_secs(1), "the first turn comes first");
    let ids = [second.spec.session_id.clone(), third.spec.session_id.clone()];
    for waits in ids {
        assert_eq!(rig.create("{}").await.session_id(), waits);
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_with_wishes_gets_an_agent_of_its_own() {
    let mut rig = rig(1);
    std::fs::create_dir(rig.workspace.path().join("below")).unwrap();
    let waits = one(&mut rig.agents).await;
    for wish in [r#"{"model":"m"}"#, r#"{"permission_mode":"plan"}"#, r#"{"cwd":"below"}"#] {
        let id = rig.create(wish).await.session_id();
        assert_ne!(id, waits.spec.session_id, "{wish}");
        assert_eq!(one(&mut rig.agents).await.spec.session_id, id);
    }
    let home = rig.workspace.path().to_str().unwrap().to_owned();
    let same = rig.create(&format!(r#"{{"cwd":"{home}"}}"#)).await;
    assert_eq!(same.session_id(), waits.spec.session_id, "the wish is what it has");
}

#[tokio::test(start_paused = true)]
async fn more_sessions_than_agents_get_their_own() {
    let mut rig = rig(1);
    let waits = one(&mut rig.agents).await;
    assert_eq!(rig.create("").await.session_id(), waits.spec.session_id);
    let id = rig.create("").await.session_id();
    assert_eq!(one(&mut rig.agents).await.spec.session_id, id);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_lost_is_replaced_and_nobody_gets_it() {
    let mut rig = rig(1);
    let lost = one(&mut rig.agents).await;
    lost.say(AgentEvent::Exited { message: "killed".into() }).await;
    let id = lost.spec.session_id.clone();
    drop(lost);
    let next = one(&mut rig.agents).await;
    assert_ne!(next.spec.session_id, id);
    assert_eq!(rig.create("").await.session_id(), next.spec.session_id);
}

#[tokio::test(start_paused = true)]
async fn nobody_gets_one_that_has_just_been_lost() {
    let mut rig = rig(1);
    let lost = one(&mut rig.agents).await;
    sleep(Duration::from_secs(1)).await;
    // The exit and the claim are both there when the task that keeps the agent is polled next.
    lost.events.try_send(AgentEvent::Exited { message: "killed".into() }).unwrap();
    let id = rig.create("").await.session_id();
    assert_ne!(id, lost.spec.session_id);
    assert_eq!(one(&mut rig.agents).await.spec.session_id, id);
}

#[tokio::test(start_paused = true)]
async fn one_that_has_waited_for_long_is_replaced() {
    let mut rig = rig(1);
    let mut stale = one(&mut rig.agents).await;
    stale.is_let_go().await;
    assert!(rig.agents.try_recv().is_err(), "there is never more than one");
    let id = stale.spec.session_id.clone();
    drop(stale);
    let fresh = one(&mut rig.agents).await;
    assert_ne!(fresh.spec.session_id, id);
    assert_eq!(rig.create("").await.session_id(), fresh.spec.session_id);
}

#[tokio::test(start_paused = true)]
async fn agents_that_cannot_be_started_are_tried_less_and_less_often() {
    let (agents, far) = FakeAgents::new();
    let agents = agents.refusing("no claude here");
    let tries = agents.calls();
    let rig = Rig::build(agents, far, |builder| builder.limits(Limits::default().warm(1)));
    sleep(Duration::from_secs(600)).await;
    let tried = tries.load(std::sync::atomic::Ordering::Relaxed);
    assert!((10..20).contains(&tried), "{tried} times in ten minutes");
    assert_eq!(rig.create("").await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test(start_paused = true)]
async fn there_are_at_most_as_many_as_there_may_be_sessions() {
    let mut rig = Rig::with(Limits::default().warm(5).max_sessions(2));
    assert_eq!(started_within(Duration::from_secs(60), &mut rig).await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_shutdown_waits_until_they_are_gone() {
    let mut rig = rig(1);
    let mut waits = one(&mut rig.agents).await;
    let sessions = rig.stack.sessions().clone();
    let shutdown = tokio::spawn(async move { sessions.shutdown().await });
    is_let_go_at_once(&mut waits).await;
    sleep(Duration::from_secs(1)).await;
    assert!(!shutdown.is_finished());
    drop(waits);
    shutdown.await.unwrap();
    assert!(rig.agents.try_recv().is_err(), "none follows");
}

#[tokio::test(start_paused = true)]
async fn they_go_with_the_stack() {
    let Rig { stack, mut agents, workspace: _workspace } = rig(1);
    let mut waits = one(&mut agents).await;
    drop(stack);
    is_let_go_at_once(&mut waits).await;
    drop(waits);
    assert!(agents.recv().await.is_none(), "nobody can start another one");
}
