//! Faults of servers, their clocks, and their agents.

use std::time::Duration;

use super::Budget;
use crate::{
    fleet::Fleet,
    support::processes::agent_of,
    world::{World, pause},
};

pub(crate) async fn of_servers(world: &World, fleet: &Fleet, budget: &Budget) {
    let mut random = world.random(1);
    while budget.take() {
        let server = random.below(fleet.len());
        let time = Duration::from_millis(random.below(5000));
        let fault = match random.below(20) {
            0..=7 => {
                fleet.kill(server, time / 4).await;
                "kill -9 of a server"
            }
            8..=11 => {
                fleet.freeze(server, time).await;
                "freezes of a server (SIGSTOP, SIGCONT)"
            }
            12..=14 => {
                fleet.stop(server, time / 4).await;
                "restarts of a server (SIGTERM)"
            }
            15..=17 => {
                if !kill_an_agent(world, random.below(1000)) {
                    continue;
                }
                "kill -9 of an agent"
            }
            _ => {
                let seconds = random.below(7200).cast_signed() - 3600;
                if !fleet.set_clock(server, seconds) {
                    continue;
                }
                "jumps of a server's clock"
            }
        };
        world.ledger.count(&format!("fault: {fault}"));
        pause(&mut random, Duration::from_secs(3)).await;
    }
}

/// Kills the agent of a session. Returns whether one runs.
fn kill_an_agent(world: &World, number: u64) -> bool {
    let agents: Vec<_> = world.ledger.ids().iter().flat_map(|id| agent_of(id)).collect();
    let Some(agent) = agents.get(number as usize % agents.len().max(1)) else { return false };
    agent.kill();
    true
}
