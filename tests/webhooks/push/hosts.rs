//! Several hosts on one database.

use std::collections::BTreeMap;

use super::{opened, public_key, pushing, subscribed};
use crate::{
    place::{Place, on_both},
    receiver::{Mode, Receiver},
};

on_both! { hosts_have_one_key_and_one_of_them_sends }

async fn hosts_have_one_key_and_one_of_them_sends(place: Place) {
    let service = Receiver::start(Mode::Answer(201)).await;
    let builder = pushing(place.server(), &service);
    let hosts = [builder.clone().start().await, builder.start().await];
    let key = public_key(&hosts[0].client()).await;
    assert_eq!(public_key(&hosts[1].client()).await, key);
    subscribed(&hosts[0].client(), &service, "phone").await;
    subscribed(&hosts[1].client(), &service, "tablet").await;
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
}
