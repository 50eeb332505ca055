//! Shared by the examples: the listener, the startup line, and the shutdown.

use std::{
    env,
    io::{self, Write},
    process,
    time::Duration,
};

use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

/// Listens on `ADDR`, by default on a free port of loopback.
pub(crate) async fn listen() -> io::Result<TcpListener> {
    TcpListener::bind(env::var("ADDR").as_deref().unwrap_or("127.0.0.1:0")).await
}

/// Prints the address, as the only line on standard output.
pub(crate) fn announce(listener: &TcpListener, prefix: &str) -> io::Result<()> {
    let mut stdout = io::stdout();
    writeln!(stdout, "listening on http://{}{prefix}", listener.local_addr()?)?;
    stdout.flush()
}

/// Time limit for the graceful shutdown.
const DRAIN: Duration = Duration::from_secs(15);

/// Returns a future that resolves at SIGTERM or SIGINT. The process exits `DRAIN` later in any case, because
/// a client that does not read can keep its connection open for ever.
pub(crate) fn ended() -> io::Result<impl Future<Output = ()> + Send> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tokio::spawn(async {
            tokio::time::sleep(DRAIN).await;
            eprintln!("not everything ended in time");
            process::exit(1);
        });
    })
}
