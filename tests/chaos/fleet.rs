//! The servers of a campaign, each of which runs or is away.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use tokio::sync::Mutex;

use crate::{
    support::{Builder, Client, Server},
    world::PATIENCE,
};

/// The clocks of servers can be set where libfaketime is installed.
const LIBFAKETIME: [&str; 2] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
];

/// The servers. Each keeps its address over its restarts.
#[derive(Debug)]
pub(crate) struct Fleet(Vec<Host>);

#[derive(Debug)]
struct Host {
    server: Mutex<Option<Server>>,
    /// The file with the time that its clock is ahead.
    clock: Option<PathBuf>,
}

impl Fleet {
    /// Starts servers with these settings.
    pub(crate) async fn start(builder: &Builder, servers: usize) -> Self {
        let mut hosts = Vec::new();
        for number in 0..servers {
            let mut builder = builder.clone();
            let library = LIBFAKETIME.iter().find(|path| PathBuf::from(path).exists());
            let clock = library.map(|_| builder.dir("home").join(format!("clock-{number}")));
            if let (Some(library), Some(clock)) = (library, &clock) {
                std::fs::write(clock, "+0").expect("a file");
                builder = builder
                    .env("LD_PRELOAD", library)
                    .env("FAKETIME_TIMESTAMP_FILE", clock)
                    .env("FAKETIME_CACHE_DURATION", "1")
                    .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
            }
            hosts.push(Host { server: Mutex::new(Some(builder.start().await)), clock });
        }
        Self(hosts)
    }

    pub(crate) fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// Clients of all servers. They stay valid when the servers restart.
    pub(crate) async fn clients(&self) -> Vec<Client> {
        let mut clients = Vec::new();
        for host in &self.0 {
            clients.push(host.server.lock().await.as_ref().expect("it runs").client());
        }
        clients
    }

    /// Waits until a server is there, and returns its number of sessions.
    pub(crate) async fn sessions(&self, number: u64) -> usize {
        let server = self.0[number as usize].server.lock().await;
        let metrics = server.as_ref().expect("it runs").client().get("/metrics").await.body;
        let text = String::from_utf8_lossy(&metrics).into_owned();
        let live = text.lines().find_map(|line| line.strip_prefix("agent_webkit_sessions_live "));
        live.map_or(0, |live| live.parse().expect("a number"))
    }

    /// Kills a server, and starts it again after a while.
    pub(crate) async fn kill(&self, number: u64, away: Duration) {
        self.restart(number, away, Server::kill).await;
    }

    /// Stops a server as a deploy does, and starts it again after a while.
    pub(crate) async fn stop(&self, number: u64, away: Duration) {
        self.restart(number, away, Server::stop).await;
    }

    /// Freezes a server for a while.
    pub(crate) async fn freeze(&self, number: u64, time: Duration) {
        let server = self.0[number as usize].server.lock().await;
        let server = server.as_ref().expect("it runs");
        server.signal(Signal::STOP);
        tokio::time::sleep(time).await;
        server.signal(Signal::CONT);
    }

    /// Whether the clocks can be set.
    pub(crate) fn has_clocks(&self) -> bool {
        self.0.iter().all(|host| host.clock.is_some())
    }

    /// Sets a server's clock ahead of the time, or behind it.
    pub(crate) fn set_clock(&self, number: u64, seconds: i64) {
        let clock = self.0[number as usize].clock.as_ref().expect("libfaketime is there");
        std::fs::write(clock, format!("{seconds:+}")).expect("a file");
    }

    /// Ends all servers, as a deploy does.
    pub(crate) async fn end(self) {
        for host in self.0 {
            if let Some(server) = host.server.into_inner() {
                tokio::task::block_in_place(|| server.stop());
            }
        }
    }

    async fn restart(&self, number: u64, away: Duration, end: fn(Server) -> Builder) {
        let mut server = self.0[number as usize].server.lock().await;
        let running = server.take().expect("it runs");
        // Not on this task, which runs the other faults, too.
        let builder = tokio::task::spawn_blocking(move || end(running)).await.expect("a thread");
        tokio::time::sleep(away).await;
        let deadline = Instant::now() + PATIENCE;
        // Without a database it does not start, and an operator's supervisor tries again.
        *server = loop {
            match builder.clone().try_start().await {
                Ok(started) => break Some(started),
                Err(log) => assert!(Instant::now() < deadline, "the server does not start again:\n{log}"),
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        };
    }
}
