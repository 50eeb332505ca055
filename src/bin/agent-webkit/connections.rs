//! Accepts connections and serves HTTP/1.1, and HTTP/2 with prior knowledge.

use std::{convert::Infallible, io, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use hyper::{
    body::{Body, Incoming},
    server::conn::{http1, http2},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
    service::TowerToHyperService,
};
use rustix::net::{RecvFlags, recv};
use tokio::{
    io::Interest,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use tower::{BoxError, Service};

/// Maximum time for a connection to send a request head, or the bytes that identify its protocol.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// The preface of an HTTP/2 connection.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Maximum size of a request head over HTTP/1.1, and size from which a connection takes no further chunk of a response until
/// a part of the last ones is sent. A reader that does not read keeps them in memory.
const BUFFER: usize = 20 << 10;

/// The same for a response over HTTP/2. Less than a chunk of a replay: a stream holds one, hyper has the next in hand, and
/// one is being sent.
const STREAM_BUFFER: usize = 4 << 10;

/// Pause after a failed `accept`, for example when no file descriptor is free.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The accept loop and the connections it serves.
#[derive(Debug)]
pub(crate) struct Connections {
    stop: CancellationToken,
    accepting: JoinHandle<GracefulShutdown>,
}

impl Connections {
    /// Serves every connection of `listener` with a clone of `service`.
    pub(crate) fn accept<S, B>(listener: TcpListener, service: S) -> Self
    where
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send>,
        S: Clone + Send + Sync + 'static,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let accepting = tokio::spawn(async move {
            let graceful = GracefulShutdown::new();
            let protocols = Arc::new(Protocols::new());
            let serve_all = async {
                loop {
                    let stream = next(&listener).await;
                    let service = TowerToHyperService::new(service.clone());
                    let protocols = Arc::clone(&protocols);
                    tokio::spawn(serve(stream, protocols, service, graceful.watcher(), stopped.clone()));
                }
            };
            tokio::select! {
                () = serve_all => {}
                () = stopped.cancelled() => {}
            }
            graceful
        });
        Self { stop, accepting }
    }

    /// Stops accepting connections and waits until the open ones have ended.
    pub(crate) async fn shutdown(self) {
        self.stop.cancel();
        if let Ok(graceful) = self.accepting.await {
            graceful.shutdown().await;
        }
    }
}

async fn next(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn serve<S, B>(
    stream: TcpStream,
    protocols: Arc<Protocols>,
    service: TowerToHyperService<S>,
    watcher: Watcher,
    stopped: CancellationToken,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send>,
    S: Clone + Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    // Events are small and frequent; Nagle's algorithm would delay them.
    let _ = stream.set_nodelay(true);
    // A silent connection is not served yet, so that a graceful shutdown does not wait for it.
    let speaks = tokio::time::timeout(HEAD_TIMEOUT, speaks_http2(&stream));
    let Some(Ok(Ok(http2))) = stopped.run_until_cancelled(speaks).await else { return };
    let io = TokioIo::new(stream);
    let ended = if http2 {
        Box::pin(watcher.watch(protocols.http2.serve_connection(io, service))).await
    } else {
        watcher.watch(protocols.http1.serve_connection(io, service)).await
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended with an error");
    }
}

/// Waits for the first bytes and returns whether they are the preface of HTTP/2. Peeks at them, because
/// consuming and replaying them would take half as much memory again for each connection.
async fn speaks_http2(stream: &TcpStream) -> io::Result<bool> {
    loop {
        let ready = stream.ready(Interest::READABLE).await?;
        match stream.try_io(Interest::READABLE, || look(stream)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if ready.is_read_closed() {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            seen => return seen,
        }
    }
}

/// Peeks at the first bytes. `WouldBlock` means that more are needed to identify the protocol.
fn look(stream: &TcpStream) -> io::Result<bool> {
    let mut start = [0; PREFACE.len()];
    match recv(stream, &mut start[..], RecvFlags::PEEK)?.0 {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        read if read < PREFACE.len() && PREFACE.starts_with(&start[..read]) => {
            Err(io::ErrorKind::WouldBlock.into())
        }
        _ => Ok(start == PREFACE),
    }
}

/// The configured servers of both protocols.
struct Protocols {
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
}

impl Protocols {
    fn new() -> Self {
        let mut http1 = http1::Builder::new();
        http1.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(BUFFER);
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(20))
            // A client may read the streams of many sessions over one connection.
            .max_concurrent_streams(1024)
            .max_send_buf_size(STREAM_BUFFER)
            .initial_stream_window_size(1 << 20)
            .initial_connection_window_size(4 << 20);
        Self { http1, http2 }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::SocketAddr,
        pin::Pin,
        sync::atomic::{AtomicUsize, Ordering},
        task::{Context, Poll},
    };

    use http_body_util::Full;
    use hyper::body::Frame;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tower::service_fn;

    use super::*;

    const REQUEST: &str = "PUT / HTTP/1.1\r\nhost: here\r\n\r\n";

    /// An empty SETTINGS frame of HTTP/2.
    const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";

    async fn listen() -> (SocketAddr, Connections) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = service_fn(|_| async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())) });
        (address, Connections::accept(listener, service))
    }

    async fn start(connection: &mut TcpStream) -> [u8; 9] {
        let mut start = [0; 9];
        connection.read_exact(&mut start).await.unwrap();
        start
    }

    /// A response without end in chunks of 16 KiB, which counts the bytes that the server has taken and not yet sent.
    struct Endless(Arc<AtomicUsize>);

    struct Chunk(Vec<u8>, Arc<AtomicUsize>);

    impl AsRef<[u8]> for Chunk {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }

    impl Drop for Chunk {
        fn drop(&mut self) {
            self.1.fetch_sub(self.0.len(), Ordering::Relaxed);
        }
    }

    impl Body for Endless {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let chunk = vec![b'x'; 16 << 10];
            self.0.fetch_add(chunk.len(), Ordering::Relaxed);
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_owner(Chunk(chunk, Arc::clone(&self.0)))))))
        }
    }

    /// The bytes that the server holds for a client that sends this and never reads.
    async fn held_after(sent: &[u8], http2: bool) -> usize {
        let held = Arc::new(AtomicUsize::new(0));
        let service = TowerToHyperService::new(service_fn({
            let held = Arc::clone(&held);
            move |_| {
                let body = Endless(Arc::clone(&held));
                async { Ok::<_, Infallible>(Response::new(body)) }
            }
        }));
        let (mut client, server) = tokio::io::duplex(4096);
        client.write_all(sent).await.unwrap();
        let (protocols, io) = (Protocols::new(), TokioIo::new(server));
        let serving = async {
            match http2 {
                true => protocols.http2.serve_connection(io, service).await,
                false => protocols.http1.serve_connection(io, service).await,
            }
        };
        let at_rest = async {
            // All tasks have had their turn often enough.
            for _ in 0..1000 {
                tokio::task::yield_now().await;
            }
            held.load(Ordering::Relaxed)
        };
        tokio::select! {
            biased;
            ended = serving => panic!("the connection ended: {ended:?}"),
            held = at_rest => held,
        }
    }

    #[tokio::test]
    async fn little_is_kept_for_a_client_that_does_not_read() {
        let most = 3 * (16 << 10);
        let held = held_after(REQUEST.as_bytes(), false).await;
        assert!((1..=most).contains(&held), "{held} bytes over HTTP/1.1");

        // A window as large as possible for each stream, and for the connection.
        let settings = b"\0\0\x06\x04\0\0\0\0\0\0\x04\x7f\xff\xff\xff";
        let update = b"\0\0\x04\x08\0\0\0\0\0\x7f\xff\0\0";
        // GET / of http.
        let request = b"\0\0\x03\x01\x05\0\0\0\x01\x82\x84\x86";
        let sent = [PREFACE, settings, update, request].concat();
        let held = held_after(&sent, true).await;
        assert!((1..=most).contains(&held), "{held} bytes over HTTP/2");
    }

    /// Whether the connection has ended; it is reset if the server had not read everything.
    fn is_over(read: io::Result<usize>) -> bool {
        read.map_or(true, |read| read == 0)
    }

    #[tokio::test]
    async fn a_beginning_that_comes_in_pieces_is_understood() {
        let (address, connections) = listen().await;
        let preface = [PREFACE, SETTINGS].concat();
        for cut in 1..REQUEST.len() {
            let mut first = TcpStream::connect(address).await.unwrap();
            let mut second = TcpStream::connect(address).await.unwrap();
            first.write_all(&REQUEST.as_bytes()[..cut]).await.unwrap();
            second.write_all(&preface[..cut]).await.unwrap();
            // Once another connection has its response, the server has seen the first pieces.
            let mut other = TcpStream::connect(address).await.unwrap();
            other.write_all(REQUEST.as_bytes()).await.unwrap();
            assert_eq!(&start(&mut other).await, b"HTTP/1.1 ");

            first.write_all(&REQUEST.as_bytes()[cut..]).await.unwrap();
            assert_eq!(&start(&mut first).await, b"HTTP/1.1 ", "{cut}");
            second.write_all(&preface[cut..]).await.unwrap();
            assert_eq!(start(&mut second).await[3], 4, "settings, {cut}");
        }
        connections.shutdown().await;
    }

    #[tokio::test]
    async fn a_beginning_that_ends_half_way_is_the_end() {
        let (address, connections) = listen().await;
        for cut in 0..PREFACE.len() {
            let mut connection = TcpStream::connect(address).await.unwrap();
            connection.write_all(&PREFACE[..cut]).await.unwrap();
            connection.shutdown().await.unwrap();
            assert!(is_over(connection.read(&mut [0]).await), "{cut}");
        }
        connections.shutdown().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_beginning_that_stops_half_way_is_given_up() {
        let (address, connections) = listen().await;
        for beginning in [&b""[..], b"P", b"PRI * HTTP/2.0\r\n", b"PUT / HTTP/1.1\r\n"] {
            let mut connection = TcpStream::connect(address).await.unwrap();
            connection.write_all(beginning).await.unwrap();
            let ended = tokio::time::timeout(2 * HEAD_TIMEOUT, connection.read(&mut [0])).await;
            assert!(ended.is_ok_and(is_over), "{}", beginning.escape_ascii());
        }
        connections.shutdown().await;
    }
}
