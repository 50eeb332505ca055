//! A TCP proxy that cuts every connection after a number of bytes.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinHandle,
};

/// A proxy in front of a server. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct BreakingNetwork {
    address: SocketAddr,
    cuts: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

impl BreakingNetwork {
    /// Starts a proxy in front of `server`, a `host:port`. The cuts depend only on the seed: at most
    /// `longest` bytes of a response pass, and one connection in eight is cut within the request.
    pub(crate) async fn before(server: &str, seed: u64, longest: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (cuts, server) = (Arc::new(AtomicUsize::new(0)), server.to_owned());
        let counter = Arc::clone(&cuts);
        let accepting = tokio::spawn(async move {
            let mut random = Random(seed);
            while let Ok((client, _)) = listener.accept().await {
                let cut = Cut {
                    up: if random.below(8) == 0 { random.below(150) } else { u64::MAX },
                    down: random.below(longest),
                    reset: random.below(2) == 0,
                };
                let (server, counter) = (server.clone(), Arc::clone(&counter));
                tokio::spawn(async move {
                    if matches!(cut.relay(client, &server).await, Ok(true)) {
                        counter.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        Self { address, cuts, accepting }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Number of connections that were cut before either side closed them.
    pub(crate) fn cuts(&self) -> usize {
        self.cuts.load(Ordering::Relaxed)
    }
}

impl Drop for BreakingNetwork {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// A proxy in front of a server, whose open connections all break when the test says so. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Cuttable {
    address: SocketAddr,
    cut: Arc<Notify>,
    accepting: JoinHandle<()>,
}

impl Cuttable {
    /// In front of `server`, a `host:port`.
    pub(crate) async fn before(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (cut, server) = (Arc::<Notify>::default(), server.to_owned());
        let notify = Arc::clone(&cut);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (server, notify) = (server.clone(), Arc::clone(&notify));
                tokio::spawn(async move {
                    let whole = Cut { up: u64::MAX, down: u64::MAX, reset: true };
                    tokio::select! {
                        _ = whole.relay(client, &server) => {}
                        () = notify.notified() => {}
                    }
                });
            }
        });
        Self { address, cut, accepting }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Breaks the connections that are open now.
    pub(crate) fn cut(&self) {
        self.cut.notify_waiters();
    }
}

impl Drop for Cuttable {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Where a connection is cut, in bytes of either direction, and how.
struct Cut {
    up: u64,
    down: u64,
    reset: bool,
}

impl Cut {
    /// Relays until the cut or until one side has closed. Returns whether the connection was cut.
    async fn relay(self, client: TcpStream, server: &str) -> io::Result<bool> {
        let server = TcpStream::connect(server).await?;
        if self.reset {
            // Drops the bytes that are under way, as a network failure does.
            client.set_zero_linger()?;
        }
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        tokio::select! {
            cut = copy(&mut from_client, &mut to_server, self.up) => cut,
            cut = copy(&mut from_server, &mut to_client, self.down) => cut,
        }
    }
}

/// Copies up to this many bytes. Returns whether the limit was reached.
async fn copy(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    bytes: u64,
) -> io::Result<bool> {
    let mut from = from.take(bytes);
    let mut buffer = [0; 4096];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(from.limit() == 0);
        }
        to.write_all(&buffer[..read]).await?;
    }
}

/// A source of random numbers that depend on its seed: SplitMix64.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below this bound.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}
