//! A campaign of faults against the real server, with the real CLI: servers are killed, frozen and restarted,
//! databases are stopped, slow and cut off, while people talk to their sessions. A ledger keeps every byte that any
//! reader received and every answer that a client got; at the end they are compared with a full replay.
//!
//! `make chaos` runs it with as many faults as one likes. `CHAOS_SEED` repeats a campaign's choices, though not its
//! timing.
#![cfg(all(feature = "cli", target_os = "linux"))]

#[path = "../support/small_disk.rs"]
mod small_disk;
#[path = "../support/mod.rs"]
mod support;

mod campaign;
mod check;
mod faults;
mod fleet;
mod follower;
mod hosts;
mod ledger;
mod line;
mod person;
mod round_robin;
mod settings;
mod story;
mod world;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_server_on_sqlite() {
    campaign::on_sqlite(settings::Settings::from_env()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_servers_on_postgres() {
    campaign::on_postgres(settings::Settings::from_env()).await;
}

/// `STORE=fleet make chaos` runs it, as large as one likes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it takes several minutes"]
async fn three_servers_behind_a_round_robin() {
    round_robin::on_postgres(settings::Settings::from_env()).await;
}
