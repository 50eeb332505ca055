//! The plan: which test runs on which servers.

use std::env;

use super::{
    hosts,
    rings::{self, Fill},
    silent, stalled,
    target::{Failure, Target, beside_us},
    tests::{self, Figure, TURN},
};

/// A server to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Server {
    Ours,
    /// Ours, with hibernating sessions.
    OursResting,
    Sqlite,
    Postgres,
    /// Ours, alone on a Postgres that it could share.
    OneHost,
    /// Ours twice, with the sessions in one Postgres.
    TwoHosts,
    /// Ours three times, with the sessions in one Postgres.
    ThreeHosts,
    /// The same, with NATS between them.
    ThreeHostsNats,
    /// Ours, with agents as processes.
    Pipe,
    Copy,
    Axum,
}

impl Server {
    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::OursResting => "ours, no agent",
            Self::Sqlite => "ours, SQLite",
            Self::Postgres => "ours, Postgres",
            Self::OneHost => "one host",
            Self::TwoHosts => "two hosts",
            Self::ThreeHosts => "three hosts",
            Self::ThreeHostsNats => "three hosts, NATS",
            Self::Pipe => "ours, pipe",
            Self::Copy => "copy",
            Self::Axum => "axum",
        }
    }

    /// Number of events of a turn besides its deltas.
    fn extra(self) -> u64 {
        match self {
            Self::Copy | Self::Axum => 0,
            _ => TURN,
        }
    }

    fn start(self) -> Result<Target, Failure> {
        match self {
            Self::Ours => Target::start("ours", "", &[]),
            Self::OursResting => Target::start("ours", "", &[("HIBERNATE", "1")]),
            Self::Sqlite => {
                let file = env::temp_dir().join(format!("agent-webkit-bench-{}.db", std::process::id()));
                for ending in ["", "-wal", "-shm"] {
                    let _ = std::fs::remove_file(format!("{}{ending}", file.display()));
                }
                Target::start("sqlite", &format!("sqlite:{}", file.display()), &[])
            }
            Self::Postgres => Target::start("postgres", &env::var("DATABASE_URL")?, &[]),
            Self::OneHost => Target::start_hosts(1, &env::var("DATABASE_URL")?, &[]),
            Self::TwoHosts => Target::start_hosts(2, &env::var("DATABASE_URL")?, &[]),
            Self::ThreeHosts => Target::start_hosts(3, &env::var("DATABASE_URL")?, &[]),
            Self::ThreeHostsNats => {
                Target::start_hosts(3, &env::var("DATABASE_URL")?, &[("BUS", &env::var("NATS_URL")?)])
            }
            Self::Pipe => Target::start("pipe", &beside_us("fake_cli")?.display().to_string(), &[]),
            Self::Copy => Target::start("copy", "", &[]),
            Self::Axum => Target::start("axum", "", &[]),
        }
    }
}

pub struct Test {
    pub name: &'static str,
    pub servers: &'static [Server],
    run: fn(&mut Target, u64) -> Result<Vec<Figure>, Failure>,
}

impl Test {
    pub fn run(&self, server: Server) -> Result<Vec<Figure>, Failure> {
        (self.run)(&mut server.start()?, server.extra())
    }
}

const THREE: &[Server] = &[Server::Ours, Server::Copy, Server::Axum];
const TWO: &[Server] = &[Server::Ours, Server::Copy];
const HOSTS: &[Server] = &[Server::OneHost, Server::TwoHosts, Server::ThreeHosts, Server::ThreeHostsNats];
const LOGS: &[Server] = &[Server::Ours, Server::Sqlite, Server::Postgres];

pub fn tests() -> Vec<Test> {
    vec![
        Test { name: "burst, 1 reader", servers: THREE, run: |t, x| tests::burst(t, x, 1, 1000, 400) },
        Test { name: "burst, 100 readers", servers: THREE, run: |t, x| tests::burst(t, x, 100, 1000, 25) },
        Test { name: "burst, 1000 readers", servers: THREE, run: |t, x| tests::burst(t, x, 1000, 1000, 4) },
        Test {
            name: "trickle, 100 readers",
            servers: THREE,
            run: |t, x| tests::trickle(t, x, 100, 1000, 2000),
        },
        Test {
            name: "trickle, 1000 readers",
            servers: THREE,
            run: |t, x| tests::trickle(t, x, 1000, 150, 20_000),
        },
        Test { name: "replay of 900", servers: THREE, run: |t, x| tests::replay(t, x, 3000, 10) },
        Test { name: "replay of 900, logs", servers: LOGS, run: |t, x| tests::replay(t, x, 3000, 10) },
        Test {
            name: "replay of 900, 1000 at once",
            servers: LOGS,
            run: |t, x| tests::replay(t, x, 3000, 1000),
        },
        Test { name: "create and delete", servers: TWO, run: |t, _| tests::create_delete(t, 8000) },
        Test {
            name: "idle",
            servers: &[Server::Ours, Server::OursResting, Server::Copy],
            run: |t, _| tests::idle(t, 10_000, 10_000),
        },
        Test {
            name: "full rings, a burst",
            servers: &[Server::Ours],
            run: |t, _| rings::full(t, 300, Fill::Burst),
        },
        Test {
            name: "full rings, one by one",
            servers: &[Server::Ours],
            run: |t, _| rings::full(t, 150, Fill::OneByOne),
        },
        Test { name: "silent, HTTP/1.1", servers: LOGS, run: |t, x| silent::never_read(t, x, silent::http1) },
        Test { name: "silent, HTTP/2", servers: LOGS, run: |t, x| silent::never_read(t, x, silent::http2) },
        Test {
            name: "silent, one HTTP/2 with wide windows",
            servers: LOGS,
            run: |t, x| silent::never_read(t, x, silent::streams_wide),
        },
        Test {
            name: "silent, one HTTP/2 with closed windows",
            servers: LOGS,
            run: |t, x| silent::never_read(t, x, silent::streams_closed),
        },
        Test { name: "one stalled of 100", servers: TWO, run: |t, x| stalled::one_of_many(t, x, 8) },
        Test {
            name: "pipe, 1 reader",
            servers: &[Server::Ours, Server::Pipe],
            run: |t, x| tests::burst(t, x, 1, 20_000, 20),
        },
        Test {
            name: "pipe, trickle",
            servers: &[Server::Ours, Server::Pipe],
            run: |t, x| tests::trickle(t, x, 1, 500, 2000),
        },
        Test {
            name: "logs, burst, 100 readers",
            servers: LOGS,
            run: |t, x| tests::burst(t, x, 100, 1000, 25),
        },
        Test {
            name: "hosts, burst, 300 readers",
            servers: HOSTS,
            run: |t, x| hosts::burst(t, x, 300, 1000, 10),
        },
        Test {
            name: "hosts, trickle, a reader each",
            servers: HOSTS,
            run: |t, x| hosts::trickle(t, x, 1000, 4000),
        },
        Test { name: "logs, burst, 1 reader", servers: LOGS, run: |t, x| tests::burst(t, x, 1, 1000, 200) },
        Test {
            name: "logs, trickle, 1 reader",
            servers: LOGS,
            run: |t, x| tests::trickle(t, x, 1, 500, 2000),
        },
    ]
}
