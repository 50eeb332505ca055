//! Several hosts on one database.

use std::collections::BTreeMap;

use http::Method;

use super::{opened, public_key, pushing, subscribed};
use crate::{
    place::{Place, on_both},
    receiver::{Mode, Receiver},
    support::{Server, eventually},
};

on_both! { hosts_have_one_key_and_one_of_them_sends }

async fn hosts_have_one_key_and_one_of_them_sends(place: Place) {
    let service = Receiver::start(Mode::Answer(201)).await;
    let builder = pushing(place.server(), &service);
    let hosts = [builder.clone().start().await, builder.start().await];
    let key = public_key(&hosts[0].client()).await;
    assert_eq!(public_key(&hosts[1].client()).await, key);
    subscribed(&hosts[0].client(), &service, "phone").await;
    let tablet = subscribed(&hosts[1].client(), &service, "tablet").await;
    let turns = 5;
    for host in &hosts {
        let mut session = host.session().await;
        for turn in 0..turns {
            session.turn(format!("turn {turn}")).await;
        }
    }
    service.until("all results on both devices", 4 * turns, |_| true).await;
    // What would come twice comes at the next look of the other host.
    let mut session = hosts[0].session().await;
    session.turn("the last one").await;
    let all = service.until("the last one", 4 * turns + 2, |_| true).await;
    let mut times = BTreeMap::<String, usize>::new();
    for push in opened(&all, &key).await {
        *times.entry(push["notification"]["id"].to_string()).or_default() += 1;
    }
    assert_eq!(times.len(), 4 * turns + 2);
    assert!(times.values().all(|times| *times == 1), "{times:?}");

    // What one host forgets, all do.
    let removed =
        hosts[0].client().ask(Method::DELETE, &format!("/push/subscriptions/{tablet}"), &[], "").await;
    assert_eq!(removed.status, 204);
    service.answer(Mode::Answer(410));
    session.turn("nobody takes it").await;
    let is_forgotten = |host: &Server| host.log().contains("a device takes no more notifications");
    eventually("the phone is forgotten", async || hosts.iter().any(is_forgotten)).await;
    service.answer(Mode::Answer(201));
    let mut other = hosts[1].session().await;
    other.turn("nobody is told").await;
    subscribed(&hosts[0].client(), &service, "watch").await;
    other.turn("the watch is told").await;
    service.until("the watch's", 1, |push| push.path == "/watch").await;
    let earlier = service.received().iter().filter(|push| push.path != "/watch").count();
    assert_eq!(earlier, 4 * turns + 3);
}
