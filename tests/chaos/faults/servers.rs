//! Faults of servers, their clocks, and their agents.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::Budget;
use crate::{
    fleet::Fleet,
    support::processes::agent_of,
    world::{World, pause},
};

pub(crate) async fn of_servers(world: &World, fleet: &Fleet, budget: &Budget) {
    let mut random = world.random(1);
    while budget.take() {
        let number = random.below(fleet.len());
        let time = Duration::from_millis(random.below(5000));
        match random.below(20) {
            0..=7 => {
                world.ledger.fault("kill -9 of a server");
                fleet.kill(number, time / 4).await;
            }
            8..=11 => {
                world.ledger.fault("freeze of a server (SIGSTOP, SIGCONT)");
                fleet.freeze(number, time).await;
            }
            12..=14 => {
                world.ledger.fault("restart of a server (SIGTERM)");
                fleet.stop(number, time / 4).await;
            }
            15..=16 if fleet.has_clocks() => {
                world.ledger.fault("jump of a server's clock by up to an hour");
                fleet.set_clock(number, random.below(7200).cast_signed() - 3600);
            }
            _ => {
                world.ledger.fault("kill -9 of an agent");
                kill_an_agent(world, random.below(1000)).await;
            }
        }
        pause(&mut random, Duration::from_secs(3)).await;
    }
}

/// Kills the agent of a session, as soon as one runs.
async fn kill_an_agent(world: &World, number: u64) {
    loop {
        let agents: Vec<_> = world.ledger.ids().iter().flat_map(|id| agent_of(id)).collect();
        if let Some(agent) = agents.get(number as usize % agents.len().max(1)) {
            // It may have ended meanwhile.
            let _ = kill_process(Pid::from_raw(agent.pid).expect("a pid"), Signal::KILL);
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
