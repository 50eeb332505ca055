//! Postgres hangs: nothing comes, and no connection breaks.

use http::StatusCode;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::{
    long_turn,
    place::Place,
    support::{
        PATIENCE, Server, eventually,
        postgres::{Cluster, TestDatabase},
        processes,
    },
    way::Way,
};

const WORDS: usize = 600;

/// A server of Postgres whose processes are stopped until it is dropped. Connections to it are accepted, and hang.
struct Frozen(Vec<Pid>);

impl Frozen {
    fn freeze(cluster: &Cluster) -> Self {
        let first = cluster.pid();
        // It starts the others, so it is stopped before they are listed.
        let mut stopped = Self(vec![stop(first)]);
        let parent = u32::try_from(first).ok();
        let others = processes::matching(|_| true).into_iter().filter(|process| process.parent() == parent);
        stopped.0.extend(others.map(|process| stop(process.pid)));
        stopped
    }
}

fn stop(pid: i32) -> Pid {
    let pid = Pid::from_raw(pid).expect("a pid");
    // A child that has just ended needs no signal.
    let _ = kill_process(pid, Signal::STOP);
    pid
}

impl Drop for Frozen {
    fn drop(&mut self) {
        for pid in &self.0 {
            let _ = kill_process(*pid, Signal::CONT);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_goes_on_once_a_postgres_that_was_frozen_goes_on() {
    let cluster = Cluster::start();
    let place = Place::Postgres(cluster.database().await);
    let server = place.server().start().await;
    let client = server.client();
    let reader = long_turn::begin(&server, WORDS).await;

    let frozen = Frozen::freeze(&cluster);
    let late = async || {
        let ready = client.get("/readyz").await;
        ready.status == StatusCode::SERVICE_UNAVAILABLE && ready.detail().contains("did not answer in time")
    };
    eventually("503 on /readyz", late).await;
    let refused = client.create(&json!({})).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{refused:?}");
    assert_eq!(client.get("/healthz").await.status, StatusCode::OK);
    drop(frozen);

    long_turn::ends(reader, WORDS).await;
    eventually("200 on /readyz", async || client.get("/readyz").await.status == StatusCode::OK).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_goes_on_on_other_connections_when_all_of_them_hang_for_good() {
    let database = TestDatabase::new().await;
    let way = Way::to(database.url()).await;
    let server = Server::builder().option("--store", &way.url).start().await;
    let mut reader = long_turn::begin(&server, WORDS).await;
    // A call that stores events may take half a minute.
    reader.patience = 3 * PATIENCE;
    way.hang();
    long_turn::ends(reader, WORDS).await;
    let client = server.client();
    eventually("200 on /readyz", async || client.get("/readyz").await.status == StatusCode::OK).await;
}
