//! One server of the bench: `server ours|sqlite|postgres|host|pipe|copy|axum [PLACE]`.
//!
//! Prints `listening PORT` once it can be reached. All kinds accept the same requests.

mod agent;
#[allow(dead_code, reason = "the bench ends its servers by force")]
#[path = "../../../src/bin/agent-webkit/connections.rs"]
mod connections;
mod servers {
    pub mod broadcast;
    pub mod copy;
    pub mod ours;
}

use std::{env, error::Error};

use servers::{broadcast, copy, ours};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut arguments = env::args().skip(1);
    let kind = arguments.next().unwrap_or_default();
    let place = arguments.next().unwrap_or_default();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening {}", listener.local_addr()?.port());
    match kind.as_str() {
        "ours" => ours::in_memory(listener).await,
        "sqlite" | "postgres" => ours::in_database(listener, &place).await,
        "host" => ours::as_one_host(listener, &place).await,
        "pipe" => ours::behind_a_pipe(listener, &place).await,
        "copy" => copy::serve(listener).await,
        "axum" => broadcast::serve(listener).await,
        other => Err(format!("there is no server {other:?}").into()),
    }
}
