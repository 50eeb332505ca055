//! The end of a session that its client deletes.

use std::time::Duration;

use rustix::process::Signal;

use crate::{
    place::{Place, on_both},
    support::{Script, eventually, processes::agent_of},
};

on_both! { nothing_is_wrong_with_a_session_that_was_deleted_in_its_turn }

async fn nothing_is_wrong_with_a_session_that_was_deleted_in_its_turn(place: Place) {
    let mut server = place.server().start().await;
    let mut session = server.session().await;
    session.say(Script::slow(1000, 20)).await;
    session.until("message_delta").await;
    let id = session.id.clone();
    session.close().await;
    eventually("the end of the agent", async || agent_of(&id).is_empty()).await;
    server.signal(Signal::TERM);
    assert!(server.wait(Duration::from_secs(20)).is_some(), "the server ends");
    let log = server.log();
    assert!(!log.contains(" WARN ") && !log.contains(" ERROR "), "{log}");
}
