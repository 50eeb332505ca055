//! The metrics of stored sessions and of their database.

use agent_webkit::{proto::AgentEvent, service::Limits};
use http::StatusCode;

use super::{counted::Counted, restoring::Disk};

#[tokio::test]
async fn a_session_that_moves_is_suspended_and_restored() {
    let mut counted = Counted::new();
    let disk = Disk::new();
    let mut first = disk.host(Limits::default()).await;
    let (id, agent) = first.rig.session().await;
    assert!(counted.get("log_commit_duration_seconds") >= 1.0);
    first.ends_with(agent).await;
    counted.check([("sessions_live", 0.0), ("sessions_ended_total{reason=suspended}", 1.0)]);

    let second = disk.host(Limits::default()).await;
    assert_eq!(second.rig.get(&format!("/sessions/{id}")).await.status, StatusCode::OK);
    counted.check([
        ("sessions_live", 1.0),
        ("sessions_started_total{how=created}", 1.0),
        ("sessions_started_total{how=restored}", 1.0),
    ]);
}

#[tokio::test]
async fn a_session_that_was_taken_over_is_a_lease_lost() {
    let mut counted = Counted::new();
    let disk = Disk::new();
    let mut host = disk.host(Limits::default()).await;
    let (id, agent) = host.rig.session().await;
    let events = host.rig.events(&id, None).await;
    agent.say(AgentEvent::Fenced).await;
    drop(agent);
    events.rest().await;
    counted.check([
        ("sessions_live", 0.0),
        ("leases_lost_total", 1.0),
        ("sessions_ended_total{reason=taken_over}", 1.0),
    ]);
}
