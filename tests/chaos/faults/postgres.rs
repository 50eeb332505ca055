//! Faults of Postgres and of the network before it.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::Budget;
use crate::{
    line::{Line, Quality},
    support::{
        postgres::Cluster,
        processes::{self, Process},
    },
    world::{World, pause},
};

pub(crate) async fn of_postgres(world: &World, cluster: &mut Cluster, line: &Line, budget: &Budget) {
    let mut random = world.random(2);
    while budget.take() {
        let time = Duration::from_millis(random.below(5000));
        match random.below(10) {
            0..=2 => {
                world.ledger.fault("kill of Postgres");
                tokio::task::block_in_place(|| cluster.stop());
                tokio::time::sleep(time / 2).await;
                tokio::task::block_in_place(|| cluster.start_again());
            }
            3..=4 => {
                world.ledger.fault("freeze of Postgres");
                let frozen = all_of(cluster);
                signal(&frozen, Signal::STOP);
                tokio::time::sleep(time).await;
                signal(&frozen, Signal::CONT);
            }
            5..=6 => {
                world.ledger.fault("slow line to Postgres");
                line.set(Quality::Slow(Duration::from_millis(5 + random.below(100))));
                tokio::time::sleep(time).await;
            }
            7 => {
                world.ledger.fault("stalled line to Postgres");
                line.set(Quality::Stalled);
                tokio::time::sleep(time).await;
            }
            _ => {
                world.ledger.fault("line to Postgres that breaks at random bytes");
                line.set(Quality::Cut(1 + random.below(50_000)));
                tokio::time::sleep(time).await;
            }
        }
        line.set(Quality::Good);
        pause(&mut random, Duration::from_secs(3)).await;
    }
}

/// The server's first process and its children.
fn all_of(cluster: &Cluster) -> Vec<Process> {
    let first = cluster.pid();
    let mut all = processes::matching(|_| true);
    all.retain(|process| process.pid == first || process.parent() == u32::try_from(first).ok());
    all
}

fn signal(processes: &[Process], signal: Signal) {
    for process in processes {
        // One that has ended meanwhile needs no signal.
        let _ = kill_process(Pid::from_raw(process.pid).expect("a pid"), signal);
    }
}
