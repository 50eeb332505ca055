//! Sessions in Rust that outlive their server, in a SQLite file.

use std::time::Duration;

use agent_webkit::{
    layers::resume::{Cursor, EventLog, RingConfig},
    proto::{AgentCommand, AgentEvent, AgentMessage, Delta, client::ServerEvent},
    service::{Limits, NewMessage, NewSession, SessionError, SessionEvents},
    storage::events::{AnyLog, DurableConfig},
};
use http::{Method, StatusCode};
use sqlx::Connection;

use super::restoring::{Disk, Host};

type Events = SessionEvents<AnyLog>;

async fn until(events: &mut Events, name: &str) -> ServerEvent {
    loop {
        let event = events.next().await.expect("there is an event").unwrap().event;
        if event.name() == name {
            return event;
        }
    }
}

/// Waits until the sessions of a host have left memory, which their agents have left before.
async fn asleep(host: &Host) {
    while !host.rig.stack.sessions().is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_session_is_restored_after_a_restart_with_its_key_and_title() {
    let disk = Disk::new();
    let mut first = disk.host(Limits::default()).await;
    let new = NewSession::new().owner("ada").title("The report");
    let session = first.rig.stack.sessions().create(new).await.unwrap();
    let mut agent = first.rig.agents.recv().await.unwrap();
    let mut events = session.events(Cursor::Oldest);
    let message = || NewMessage::from("hi").idempotency_key("k1");
    let uuid = session.send(message()).await.unwrap();
    agent.hears().await;
    agent.ends_turn().await;
    until(&mut events, "result").await;
    let id = session.id().to_owned();
    let ((), last) = tokio::join!(first.ends_with(agent), async move {
        let last = loop {
            match events.next().await.expect("it does not end silently") {
                Ok(event) => assert_ne!(event.event.name(), "done", "the session is not over"),
                Err(error) => break error,
            }
        };
        assert!(events.next().await.is_none());
        last
    });
    assert!(last.to_string().contains("shutting down"), "{last:?}");

    let mut second = disk.host(Limits::default()).await;
    let sessions = second.rig.stack.sessions().clone();
    let stored = sessions.list_stored(Some("ada")).await.unwrap();
    assert_eq!((stored[0].session_id.as_str(), stored[0].title.as_deref()), (&*id, Some("The report")));
    assert!(sessions.is_empty() && sessions.get(&id, Some("ada")).is_none(), "listing restores nothing");
    assert!(sessions.find(&id, Some("bob")).await.unwrap().is_none());
    let session = sessions.find(&id, Some("ada")).await.unwrap().unwrap();
    assert_eq!(session.send(message()).await.unwrap(), uuid, "the key is remembered");
    assert!(second.rig.agents.try_recv().is_err(), "a repeat starts no agent");
    session.send("more").await.unwrap();
    let mut agent = second.rig.agents.recv().await.unwrap();
    assert!(agent.spec.resume);
    assert!(matches!(agent.hears().await, AgentCommand::User { .. }));
    let mut again = session.events(Cursor::After(1));
    let ServerEvent::UserMessage(said) = until(&mut again, "user_message").await else { panic!() };
    assert_eq!(said.message_uuid, uuid);
    drop(again);
    second.ends_with(agent).await;
}

#[tokio::test]
async fn a_handle_works_on_after_its_session_has_left_memory() {
    let disk = Disk::new();
    let limits = Limits::default().idle_timeout(Duration::from_millis(1));
    let mut host = disk.host(limits).await;
    let sessions = host.rig.stack.sessions().clone();
    let session = sessions.create(NewSession::new().owner("ada")).await.unwrap();
    drop(host.rig.agents.recv().await.unwrap());
    asleep(&host).await;
    let mut events = session.events(Cursor::Oldest);
    assert!(matches!(until(&mut events, "session_ready").await, ServerEvent::SessionReady(_)));
    drop(events);

    asleep(&host).await;
    session.send("hi").await.unwrap();
    let mut agent = host.rig.agents.recv().await.unwrap();
    assert!(agent.spec.resume);
    agent.hears().await;
    agent.ends_turn().await;
    while agent.commands.recv().await.is_some() {}
    drop(agent);

    asleep(&host).await;
    assert_eq!(session.state().await.unwrap().session_id, session.id());
    asleep(&host).await;
    session.close().await.unwrap();
    assert_eq!(session.send("hi").await, Err(SessionError::NotFound));
    assert_eq!(session.events(Cursor::Oldest).next().await, Some(Err(SessionError::NotFound)));
    assert!(sessions.list_stored(Some("ada")).await.unwrap().is_empty());
    host.ends().await;
}

#[tokio::test]
async fn a_session_that_another_host_runs_is_used_from_here() {
    let disk = Disk::new();
    let mut first = disk.host(Limits::default()).await;
    let (id, mut agent) = first.rig.session().await;
    let mut second = disk.host(Limits::default()).await;
    let elsewhere = second.rig.stack.sessions().find(&id, Some("ada")).await.unwrap().unwrap();
    assert!(second.rig.stack.sessions().find(&id, Some("bob")).await.unwrap().is_none());
    assert!(second.rig.stack.sessions().is_empty(), "it is not restored here");
    let mut events = elsewhere.events(Cursor::Oldest);
    until(&mut events, "session_state").await;
    let uuid = elsewhere.send("hello").await.unwrap();
    agent.hears().await;
    let message = until(&mut events, "user_message").await;
    assert_eq!(message.data()["message_uuid"], uuid);
    let settled = elsewhere.allow("none").await.unwrap_err();
    assert_eq!(settled, SessionError::Settled);
    let reply = second.rig.ask(Method::GET, &format!("/sessions/{id}"), "").await;
    assert_eq!((reply.status, &reply.json()["status"]), (StatusCode::OK, &"running".into()));
    assert_eq!(elsewhere.state().await.unwrap().session_id, id);
    agent.ends_turn().await;
    until(&mut events, "result").await;

    // The reader here stays, and with it the session comes here.
    first.ends_with(agent).await;
    let here = elsewhere.send("and now?");
    let (sent, mut agent) = tokio::join!(here, async { second.rig.agents.recv().await.unwrap() });
    let uuid = sent.unwrap();
    agent.hears().await;
    let message = until(&mut events, "user_message").await;
    assert_eq!(message.data()["message_uuid"], uuid);
    second.ends_with(agent).await;
}

#[tokio::test]
async fn a_reader_learns_that_another_host_has_taken_the_session_over() {
    let disk = Disk::new();
    let mut first = disk.host(Limits::default()).await;
    let session = first.rig.stack.sessions().create(NewSession::new().owner("ada")).await.unwrap();
    let agent = first.rig.agents.recv().await.unwrap();
    let mut events = session.events(Cursor::Oldest);
    until(&mut events, "session_state").await;
    let second = disk.host(Limits::default()).await;
    let stream = second.storage.log().open(session.id()).await.unwrap();
    agent.asks("c1").await;
    let last = loop {
        match events.next().await.expect("it does not end silently") {
            Ok(event) => {
                assert_ne!(event.event.name(), "permission_request", "what is not stored is not shown");
            }
            Err(error) => break error,
        }
    };
    assert!(matches!(last, SessionError::TakenOver { .. }), "{last:?}");
    assert!(events.next().await.is_none());
    drop(stream);
    first.ends_with(agent).await;
    second.ends().await;
}

#[tokio::test]
async fn a_jump_over_deleted_tokens_is_reported() {
    let disk = Disk::new();
    let recent = RingConfig::default().window_events(4);
    let mut host = disk.host_storing(DurableConfig::default().uncompacted_events(10).recent(recent)).await;
    let session = host.rig.stack.sessions().create(NewSession::new().owner("ada")).await.unwrap();
    let agent = host.rig.agents.recv().await.unwrap();
    for _ in 0..60 {
        let delta = Delta::text("word ");
        agent.say(AgentEvent::Delta { message_id: "m".into(), parent_tool_use_id: None, delta }).await;
    }
    let message =
        AgentMessage { id: "m".into(), parent_tool_use_id: None, blocks: Vec::new(), extra: Vec::new() };
    agent.say(AgentEvent::Message(message)).await;
    // Compaction runs beside the session, so more events and replays follow until it has been at work.
    let jump = loop {
        agent.ends_turn().await;
        let mut events = session.events(Cursor::Oldest);
        let (mut last, mut jump) = (0, None);
        loop {
            let event = events.next().await.unwrap().unwrap();
            let Some(seq) = event.seq else { break };
            if let Some(skipped) = event.compacted {
                assert_eq!((*skipped.start(), *skipped.end()), (last + 1, seq - 1));
                jump = Some(skipped);
            } else {
                assert_eq!(seq, last + 1, "no event is left out silently");
            }
            last = seq;
        }
        if let Some(jump) = jump {
            break jump;
        }
    };
    assert!(jump.contains(&2) && !jump.contains(&62), "{jump:?}");
    host.ends_with(agent).await;
}

/// What was answered 503 does not run, also if its host did not look into its inbox in time.
#[tokio::test]
async fn a_message_that_was_not_taken_in_time_does_not_run_later() {
    let disk = Disk::new();
    let limits = Limits::default().answer_timeout(Duration::from_millis(300));
    let mut first = disk.host(Limits::default()).await;
    let (id, mut agent) = first.rig.session().await;
    let second = disk.host(limits).await;
    let elsewhere = second.rig.stack.sessions().find(&id, Some("ada")).await.unwrap().unwrap();
    let url = format!("sqlite:{}", disk.database().display());
    let mut database = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let refuse = "create trigger refuse before update of taken_epoch on agent_webkit_inbox
        begin select raise(fail, 'not now'); end";
    sqlx::raw_sql(refuse).execute(&mut database).await.unwrap();
    let refused = elsewhere.send("too late").await.unwrap_err();
    assert!(matches!(refused, SessionError::Unavailable { .. }), "{refused:?}");
    let left: i64 =
        sqlx::query_scalar("select count(*) from agent_webkit_inbox").fetch_one(&mut database).await.unwrap();
    assert_eq!(left, 0);
    sqlx::raw_sql("drop trigger refuse").execute(&mut database).await.unwrap();

    let mut events = elsewhere.events(Cursor::Oldest);
    let in_time = disk.host(Limits::default()).await;
    let session = in_time.rig.stack.sessions().find(&id, Some("ada")).await.unwrap().unwrap();
    session.send("in time").await.unwrap();
    agent.hears().await;
    assert_eq!(until(&mut events, "user_message").await.data()["content"], "in time");
    drop((session, events));
    second.ends().await;
    in_time.ends().await;
    first.ends_with(agent).await;
}
