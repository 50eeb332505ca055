//! The product, served by the binary's connection code.

use std::{error::Error, future::pending, time::Duration};

use agent_webkit::{Stack, agent::Agent, claude::Claude, storage::{Storage, StorageConfig, database::{Database, Location}, events::{DurableConfig, DurableLog}}, layers::{auth::Disabled, resume::{EventLog, RingLog}}, service::{Limits, Policy}};
use tokio::net::TcpListener;
use tower::service_fn;

use crate::{agent, connections::Connections};

type BoxError = Box<dyn Error + Send + Sync>;

pub async fn in_memory(listener: TcpListener) -> Result<(), BoxError> {
    serve(listener, service_fn(agent::start), RingLog::default()).await
}

/// Serves with the event log in the database at `url`.
pub async fn in_database(listener: TcpListener, url: &str) -> Result<(), BoxError> {
    let location: Location = url.parse()?;
    let database = Database::open(&location).await?.ok_or("no database")?;
    let log = DurableLog::new(database, DurableConfig::default());
    serve(listener, service_fn(agent::start), log).await
}

/// Serves sessions that other hosts of the database at `url` serve too. `BUS` is the URL of a NATS server.
pub async fn as_one_host(listener: TcpListener, url: &str) -> Result<(), BoxError> {
    let location: Location = url.parse()?;
    let database = Database::open(&location).await?.ok_or("no database")?;
    let mut config = StorageConfig::default();
    if let Ok(bus) = std::env::var("BUS") {
        config = config.bus(bus.parse()?);
    }
    let storage = Storage::new(database, config);
    let stack = Stack::builder(service_fn(agent::start), Policy::new(["."])?)
        .auth(Disabled)
        .storage(&storage)
        .limits(limits())
        .build();
    let _serving = Connections::accept(listener, stack);
    pending().await
}

/// Serves with agents that are processes of this program.
pub async fn behind_a_pipe(listener: TcpListener, program: &str) -> Result<(), BoxError> {
    serve(listener, Claude::new(program), RingLog::default()).await
}

async fn serve(listener: TcpListener, agent: impl Agent, log: impl EventLog) -> Result<(), BoxError> {
    let stack = Stack::builder(agent, Policy::new(["."])?).auth(Disabled).log(log).limits(limits()).build();
    let _serving = Connections::accept(listener, stack);
    pending().await
}

fn limits() -> Limits {
    let limits = Limits::default().max_sessions(100_000).idle_timeout(Duration::from_secs(3600));
    if std::env::var_os("HIBERNATE").is_some() { limits.hibernate_after(Duration::from_millis(100)) } else { limits }
}
