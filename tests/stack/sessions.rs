//! The life of a session: created, described, ended, and continued after its agent's end.

use std::time::Duration;

use agent_webkit::{proto::AgentEvent, service::Limits};
use http::{Method, StatusCode};
use uuid::{Uuid, Version};

use super::rig::Rig;

const HI: &str = r#"{"type":"user_message","content":"hi"}"#;

#[tokio::test]
async fn a_new_session_is_ready_before_it_is_answered() {
    let mut rig = Rig::new();
    let (id, agent) = rig.session().await;
    assert_eq!(Uuid::parse_str(&id).unwrap().get_version(), Some(Version::Random));
    assert_eq!(agent.spec.session_id, id);
    let state = rig.get(&format!("/sessions/{id}")).await.json();
    assert_eq!(state["as_of_seq"], 1);
    let ready = rig.events(&id, None).await.next().await.unwrap();
    assert_eq!((ready.id, ready.name.as_str()), (Some(1), "session_ready"));
    assert_eq!(ready.data["session_id"], id.as_str());
}

#[tokio::test]
async fn its_state_tells_what_is_open() {
    let mut rig = Rig::new();
    let (id, agent) = rig.session().await;
    let mut events = rig.events(&id, None).await;
    assert_eq!(events.until("session_state").await.data["status"], "idle");
    agent.asks("c1").await;
    events.until("permission_request").await;

    let state = rig.get(&format!("/sessions/{id}")).await.json();
    assert_eq!(state["session_id"], id.as_str());
    assert_eq!(state["status"], "requires_action");
    assert_eq!(state["pending"][0]["correlation_id"], "c1");
    assert_eq!((&state["oldest_seq"], &state["as_of_seq"]), (&1.into(), &2.into()));
    assert_eq!(state["cwd"], rig.workspace.path().canonicalize().unwrap().to_str().unwrap());
    assert!(state["created_at"].as_u64().unwrap() > 1_600_000_000_000, "milliseconds");

    let told = rig.events(&id, Some(2)).await.until("session_state").await.data;
    for (member, value) in told.as_object().unwrap() {
        assert_eq!(&state[member], value, "{member}");
    }

    let list = rig.get("/sessions").await.json();
    assert_eq!(list["sessions"][0]["status"], "requires_action");
    assert!(list["sessions"][0].get("pending").is_none());
}

#[tokio::test]
async fn deleting_settles_everything_and_can_be_repeated() {
    let mut rig = Rig::new();
    let (id, mut agent) = rig.session().await;
    let events = rig.events(&id, None).await;
    agent.asks("c1").await;
    let mut events = events;
    events.until("permission_request").await;

    let path = format!("/sessions/{id}");
    for _ in 0..2 {
        let reply = rig.ask(Method::DELETE, &path, "").await;
        assert_eq!((reply.status, reply.body.len()), (StatusCode::NO_CONTENT, 0));
    }
    let rest = events.rest().await;
    let names: Vec<_> = rest.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["prompt_resolved", "done"]);
    assert_eq!(rest[0].data["outcome"], "session_closed");
    agent.is_let_go().await;
    assert_eq!(rig.get(&path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(rig.input(&id, HI).await.status, StatusCode::NOT_FOUND);
    assert_eq!(rig.get("/sessions").await.json()["sessions"].as_array().unwrap().len(), 0);
    for id in ["never-was", &Uuid::new_v4().to_string()] {
        assert_eq!(
            rig.ask(Method::DELETE, &format!("/sessions/{id}"), "").await.status,
            StatusCode::NO_CONTENT
        );
    }
}

#[tokio::test]
async fn its_last_events_are_there_for_readers_that_are_slow() {
    let mut rig = Rig::new();
    let (id, agent) = rig.session().await;
    let slow = rig.events(&id, None).await;
    let mut quick = rig.events(&id, None).await;
    drop(agent);
    quick.until("error").await;
    rig.ask(Method::DELETE, &format!("/sessions/{id}"), "").await;
    let names: Vec<_> = slow.rest().await.into_iter().map(|event| event.name).collect();
    assert_eq!(names, ["session_ready", "session_state", "error", "done"]);
}

#[tokio::test]
async fn it_goes_on_after_its_agents_end() {
    let mut rig = Rig::new();
    let (id, first) = rig.session().await;
    let mut events = rig.events(&id, None).await;
    first.asks("c1").await;
    first.say(AgentEvent::Exited { message: "killed".into() }).await;
    assert_eq!(events.until("prompt_resolved").await.data["outcome"], "cancelled");
    assert!(events.until("error").await.data["message"].as_str().unwrap().contains("killed"));

    assert_eq!(rig.input(&id, HI).await.status, StatusCode::NO_CONTENT);
    assert!(rig.agents.try_recv().is_err(), "the first one is not gone yet");
    drop(first);
    let mut second = rig.agents.recv().await.unwrap();
    assert!(second.spec.resume);
    assert_eq!(second.spec.session_id, id);
    second.hears().await;
}

#[tokio::test]
async fn an_agent_that_takes_no_commands_is_replaced() {
    let mut rig = Rig::new();
    let (id, mut agent) = rig.session().await;
    let mut events = rig.events(&id, None).await;
    // The fake's channel holds eight commands.
    for n in 0..9 {
        agent.asks(&format!("c{n}")).await;
        events.until("permission_request").await;
        let answer = format!(
            r#"{{"type":"permission_response","correlation_id":"c{n}","behavior":"deny","message":"no"}}"#
        );
        assert_eq!(rig.input(&id, answer).await.status, StatusCode::NO_CONTENT);
    }
    assert!(events.until("error").await.data["message"].as_str().unwrap().contains("no more commands"));
    for _ in 0..8 {
        agent.hears().await;
    }
    agent.is_let_go().await;
    drop(agent);
    assert_eq!(rig.input(&id, HI).await.status, StatusCode::NO_CONTENT);
    assert!(rig.agents.recv().await.unwrap().spec.resume);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_nobody_uses_ends() {
    let mut rig = Rig::with(Limits::default().idle_timeout(Duration::from_secs(60)));
    let (id, mut agent) = rig.session().await;
    agent.is_let_go().await;
    assert_eq!(rig.get(&format!("/sessions/{id}")).await.status, StatusCode::NOT_FOUND);
}
