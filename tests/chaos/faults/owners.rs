//! Faults of the servers that run sessions, and of what carries hints between them.

use std::time::Duration;

use super::Budget;
use crate::{
    fleet::Fleet,
    support::nats::Nats,
    world::{World, pause},
};

/// Kills, freezes and drains servers that run sessions: of twelve faults five, five and two.
pub(crate) async fn of_owners(world: &World, fleet: &Fleet, budget: &Budget) {
    let mut random = world.random(1);
    for fault in 0.. {
        if !budget.take() {
            return;
        }
        let mut number = random.below(fleet.len());
        while fleet.sessions(number).await == 0 {
            pause(&mut random, Duration::from_millis(200)).await;
            number = random.below(fleet.len());
        }
        let time = Duration::from_millis(random.below(1500));
        match fault % 12 {
            0 | 2 | 5 | 7 | 10 => {
                world.ledger.fault("kill -9 of an owner");
                fleet.kill(number, time).await;
            }
            1 | 3 | 6 | 8 | 11 => {
                world.ledger.fault("freeze of an owner, for longer than its lease (SIGSTOP, SIGCONT)");
                fleet.freeze(number, Duration::from_secs(5) + time).await;
            }
            _ => {
                world.ledger.fault("drain of an owner (SIGTERM)");
                fleet.stop(number, time).await;
            }
        }
        // Until its sessions are spread again.
        pause(&mut random, Duration::from_secs(4)).await;
    }
}

/// Stops NATS and starts it again, until the campaign is over.
pub(crate) async fn of_nats(world: &World, nats: &mut Nats) {
    let mut random = world.random(3);
    while !world.is_over() {
        pause(&mut random, Duration::from_secs(20)).await;
        world.ledger.count("stops of NATS");
        tokio::task::block_in_place(|| nats.stop());
        pause(&mut random, Duration::from_secs(10)).await;
        tokio::task::block_in_place(|| nats.start_again());
    }
}
