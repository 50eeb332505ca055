//! Several hosts on one database.

use std::collections::BTreeMap;

use crate::{
    hooked,
    place::{Place, on_both},
    receiver::{Mode, Receiver},
    support::Server,
};

on_both! { of_two_hosts_that_live_one_sends, what_a_dead_host_has_not_sent_another_one_sends }

async fn of_two_hosts_that_live_one_sends(place: Place) {
    let receiver = Receiver::start(Mode::Answer(200)).await;
    let builder = hooked(place.server(), &receiver);
    let hosts = [builder.clone().start().await, builder.start().await];
    let turns = 10;
    for host in &hosts {
        let mut session = host.session().await;
        for turn in 0..turns {
            session.turn(format!("turn {turn}")).await;
        }
    }
    receiver.until("all results", 2 * turns, |_| true).await;
    // What would come twice comes at the next look of the other host.
    let mut session = hosts[0].session().await;
    session.turn("the last one").await;
    receiver.until("the last one", 1, |one| one.json()["data"]["session_id"] == session.id).await;
    let mut times = BTreeMap::<String, usize>::new();
    receiver.received().iter().for_each(|one| *times.entry(one.id().to_owned()).or_default() += 1);
    assert_eq!(times.len(), 2 * turns + 1);
    assert!(times.values().all(|times| *times == 1), "{times:?}");
}

async fn what_a_dead_host_has_not_sent_another_one_sends(place: Place) {
    let receiver = Receiver::start(Mode::Hang).await;
    let builder = hooked(place.server(), &receiver);
    let first = builder.clone().start().await;
    let mut session = first.session().await;
    session.turn("one").await;
    let sent = receiver.one("result").await;
    let other: Server = builder.start().await;
    receiver.answer(Mode::Answer(200));
    drop(first.kill());
    let again = receiver.until("the other host's attempt", 2, |_| true).await;
    assert_eq!((again[1].id(), &again[1].body), (sent.id(), &sent.body));
    drop(other);
}
