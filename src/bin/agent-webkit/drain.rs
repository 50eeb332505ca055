//! Graceful shutdown: sessions first, then connections, in bounded time.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use agent_webkit::{service::Sessions, settings::Store, storage::events::AnyLog};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, timeout_at},
};

use crate::connections::Connections;

/// Maximum time for the graceful shutdown.
const DRAIN: Duration = Duration::from_secs(15);

/// Waits for SIGTERM or SIGINT.
#[derive(Debug)]
pub(crate) struct Draining {
    signals: Signals,
    flag: Arc<AtomicBool>,
}

impl Draining {
    /// Installs the handlers of both signals.
    pub(crate) fn listen() -> io::Result<Self> {
        let signals = Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        };
        Ok(Self { signals, flag: Arc::default() })
    }

    /// The flag that is set when the shutdown begins.
    pub(crate) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.flag)
    }

    /// Returns at the first signal. A second signal ends the process at once.
    pub(crate) async fn wait(mut self) {
        self.signals.next().await;
        self.flag.store(true, Ordering::Relaxed);
        tokio::spawn(async move {
            let signal = self.signals.next().await;
            tracing::warn!("second signal received; exiting at once");
            std::process::exit(128 + signal.as_raw_value());
        });
    }
}

#[derive(Debug)]
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    async fn next(&mut self) -> SignalKind {
        tokio::select! {
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = self.interrupt.recv() => SignalKind::interrupt(),
        }
    }
}

/// Shuts down the sessions, which ends their streams and agents, then the storage, then the connections.
pub(crate) async fn drain(sessions: &Sessions<AnyLog>, store: &Store, connections: Connections) {
    let deadline = Instant::now() + DRAIN;
    tracing::info!(sessions = sessions.len(), "draining");
    let ended = async {
        // Connections are accepted until the sessions have ended, so that `/readyz` can report the shutdown.
        sessions.shutdown().await;
        store.shutdown().await;
        connections.shutdown().await;
    };
    match timeout_at(deadline, ended).await {
        Ok(()) => tracing::info!("drained"),
        Err(_) => tracing::warn!("the graceful shutdown timed out"),
    }
}
