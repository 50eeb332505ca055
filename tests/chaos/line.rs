//! The line between the servers and Postgres: a TCP proxy that can be slow, stall, or break.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// What the line does with bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Quality {
    Good,
    /// Each chunk waits.
    Slow(Duration),
    /// Nothing passes, and no connection breaks.
    Stalled,
    /// Each connection breaks after at most this many bytes of the answers.
    Cut(u64),
}

/// A line. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Line {
    address: SocketAddr,
    quality: Arc<watch::Sender<Quality>>,
    accepting: JoinHandle<()>,
}

impl Line {
    /// A good line to `server`, a `host:port`.
    pub(crate) async fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (quality, server) = (Arc::new(watch::Sender::new(Quality::Good)), server.to_owned());
        let sender = Arc::clone(&quality);
        let accepting = tokio::spawn(async move {
            for connection in 1_u64.. {
                let Ok((client, _)) = listener.accept().await else { return };
                tokio::spawn(relay(client, server.clone(), sender.subscribe(), connection));
            }
        });
        Self { address, quality, accepting }
    }

    pub(crate) fn authority(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn set(&self, quality: Quality) {
        self.quality.send_replace(quality);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn relay(client: TcpStream, server: String, quality: watch::Receiver<Quality>, connection: u64) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        () = copy(from_client, to_server, quality.clone(), None) => {}
        () = copy(from_server, to_client, quality, Some(connection)) => {}
    }
}

/// Copies until one side has closed. With a number, a cut line breaks at a place that depends on it.
async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut quality: watch::Receiver<Quality>,
    connection: Option<u64>,
) {
    let mut buffer = [0; 4096];
    let mut left = None;
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let mut chunk = &buffer[..read];
        if quality.wait_for(|quality| *quality != Quality::Stalled).await.is_err() {
            return;
        }
        let now = *quality.borrow();
        match (now, connection) {
            (Quality::Slow(time), _) => tokio::time::sleep(time).await,
            (Quality::Cut(longest), Some(connection)) => {
                let left = left.get_or_insert(connection.wrapping_mul(0x9e37_79b9_7f4a_7c15) % longest);
                chunk = &chunk[..read.min(usize::try_from(*left).unwrap_or(read))];
                *left -= chunk.len() as u64;
            }
            _ => left = None,
        }
        if to.write_all(chunk).await.is_err() || chunk.len() < read {
            return;
        }
    }
}
