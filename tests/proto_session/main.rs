//! The session's state machine under arbitrary interleavings of clients, agent and time.

mod observer;
mod run;
mod step;

use std::time::Duration;

use agent_webkit::proto::{Accepted, IdempotencyKey, Inbound, Presence, Refused};
use proptest::{collection::vec, prelude::*};

use run::{IDLE, REST, Run};
use step::{Step, step};

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_session_keeps_its_promises(steps in vec(step(), 0..80)) {
        let mut run = Run::new();
        for step in &steps {
            run.take(step);
        }
        run.session.close();
        run.drain();
        let observer = &run.observer;
        prop_assert!(observer.closed);
        prop_assert!(observer.open_prompts.is_empty(), "prompts without an end: {:?}", observer.open_prompts);
        prop_assert!(observer.asked.is_empty(), "inputs without an answer: {:?}", observer.asked);
        prop_assert_eq!(observer.names.last(), Some(&"done"));
        prop_assert_eq!(observer.names.iter().filter(|name| **name == "done").count(), 1);
        prop_assert_eq!(observer.names.iter().filter(|name| **name == "user_message").count(), observer.accepted);
        prop_assert_eq!(run.session.handle_input(run.now, Inbound::Interrupt, None, "u".into()), Err(Refused::Closed));
        prop_assert_eq!(run.session.poll_timeout(), None);
    }

    /// If the agent ends every turn that it begins, every accepted message gets its turn.
    #[test]
    fn every_message_gets_its_turn(messages in 1..4_usize, crash_at in proptest::option::of(0..4_usize)) {
        let mut run = Run::new();
        (0..messages).for_each(|_| run.take(&Step::Message));
        let mut results = 0;
        for turn in 0..messages {
            run.take(&Step::Started);
            run.take(&Step::TurnStarted);
            run.take(&if crash_at == Some(turn) { Step::Exited } else { Step::TurnEnded { unprompted: false } });
            results += 1;
        }
        prop_assert_eq!(run.observer.names.iter().filter(|name| **name == "result").count(), results);
        prop_assert!(!run.observer.turn_runs);
    }
}

#[test]
fn an_idle_session_ends_and_a_watched_one_does_not() {
    let mut run = Run::new();
    run.take(&Step::Started);
    run.take(&Step::Wait { seconds: 120, readers: 1 });
    assert!(run.observer.stopped, "it hibernates first");
    let due = run.session.poll_timeout().expect("an idle session has a timer");
    assert_eq!(due, run.now - REST + IDLE);

    run.now = due;
    run.session.handle_timeout(due, Presence { readers: 1, last_detached: None });
    let due = run.session.poll_timeout().expect("the timer goes on while someone watches");
    assert_eq!(due, run.now + IDLE);

    let left = run.now + Duration::from_secs(10);
    run.session.handle_timeout(due, Presence { readers: 0, last_detached: Some(left) });
    let due = run.session.poll_timeout().expect("the last reader's leaving counts");
    assert_eq!(due, left + IDLE);

    run.session.handle_timeout(due, Presence { readers: 0, last_detached: Some(left) });
    run.drain();
    assert!(run.observer.closed && run.observer.stopped);
}

#[test]
fn a_running_turn_keeps_a_session_alive() {
    let mut run = Run::new();
    run.take(&Step::Started);
    run.take(&Step::Message);
    assert_eq!(run.session.poll_timeout(), None);
    run.take(&Step::TurnEnded { unprompted: false });
    assert_eq!(run.session.poll_timeout(), Some(run.now + REST));
}

#[test]
fn a_session_at_rest_hibernates_and_wakes() {
    let mut run = Run::new();
    run.take(&Step::Started);
    run.take(&Step::Wait { seconds: 120, readers: 0 });
    assert!(run.observer.stopped && !run.observer.agent_up);
    assert_eq!(run.observer.names, ["session_ready", "status"]);
    run.take(&Step::Message);
    assert!(run.observer.start_wanted);
    run.take(&Step::Started);
    assert_eq!(run.observer.started_turns, 1);
}

#[test]
fn a_repeated_key_runs_nothing_twice() {
    let mut run = Run::new();
    let message = || Inbound::parse(br#"{"type":"user_message","content":"hi"}"#).unwrap();
    let key = |digest: u8| Some(IdempotencyKey { key: "k".into(), digest: [digest; 32] });
    assert_eq!(run.session.handle_input(run.now, message(), key(1), "u".into()), Ok(Accepted::Done));
    let repeated = run.session.handle_input(run.now, message(), key(1), "other".into());
    assert_eq!(repeated, Ok(Accepted::Repeated(Some("u".into()))));
    assert_eq!(run.session.handle_input(run.now, message(), key(2), "u".into()), Err(Refused::KeyReused));
    run.drain();
    assert_eq!(run.observer.names, ["session_ready", "user_message"]);
}

#[test]
fn an_agents_end_settles_everything_and_the_next_message_starts_another() {
    let mut run = Run::new();
    for step in [
        Step::Started,
        Step::Message,
        Step::TurnStarted,
        Step::AskPermission(1),
        Step::SetModel,
        Step::Exited,
    ] {
        run.take(&step);
    }
    let tail = &run.observer.names[run.observer.names.len() - 4..];
    assert_eq!(tail, ["permission_request", "prompt_resolved", "error", "result"]);
    assert!(run.observer.asked.is_empty());
    assert!(!run.observer.start_wanted);
    run.take(&Step::Message);
    assert!(run.observer.start_wanted);
}
