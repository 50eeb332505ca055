//! What the examples do alike: where they listen, what they say, and when they end.

use std::{
    env,
    io::{self, Write},
};

use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

/// Listens at `ADDR`; without it, at any free port of loopback.
pub(crate) async fn listen() -> io::Result<TcpListener> {
    TcpListener::bind(env::var("ADDR").as_deref().unwrap_or("127.0.0.1:0")).await
}

/// Says where to go, in the one line on the standard output.
pub(crate) fn announce(listener: &TcpListener, prefix: &str) -> io::Result<()> {
    let mut stdout = io::stdout();
    writeln!(stdout, "listening on http://{}{prefix}", listener.local_addr()?)?;
    stdout.flush()
}

/// Comes with SIGTERM or SIGINT, which end nothing else from here on.
pub(crate) fn ended() -> io::Result<impl Future<Output = ()> + Send> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
