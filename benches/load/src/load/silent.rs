//! Readers that ask for a stream and never read a byte of it.

use std::{
    io::{self, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    thread,
    time::Duration,
};

use socket2::{Domain, Socket, Type};

use super::{
    bursts::Bursts,
    target::{Failure, Target},
    tests::{Figure, settled},
};

/// Number of readers, and number of those that come and go before the first measurement.
const READERS: usize = 1000;
const WARM: usize = 20;

/// Number of bursts that wait for each reader, together 64 MiB, and number of events in each.
const BURSTS: u64 = 224;
const EVENTS: u64 = 1000;

/// Number of events that come while they are connected.
const LIVE: u64 = 300;

/// What a reader's own system may buffer, and the size of a packet to it. On loopback the server's system would otherwise
/// buffer more than two megabytes for it, which no network lets it do.
const RECEIVED: usize = 4096;
const PACKET: u32 = 1400;

/// The largest window of a stream that HTTP/2 allows.
const LARGEST: u32 = (1 << 31) - 1;

/// Connects this number of readers to a session.
pub type Connect = fn(u16, &str, usize) -> io::Result<Vec<TcpStream>>;

/// Connects readers to a session. Measures what one of them takes because of the replay, and after further events.
pub fn never_read(target: &mut Target, extra: u64, connect: Connect) -> Result<Vec<Figure>, Failure> {
    let mut bench = Bursts::start(target, extra, 1)?;
    bench.run(target, EVENTS, BURSTS)?;
    drop(connect(target.port, &bench.session, WARM)?);
    let before = quiet(target)?;
    let _held = connect(target.port, &bench.session, READERS)?;
    let replay = quiet(target)? - before;
    for _ in 0..LIVE {
        bench.run(target, 1, 1)?;
    }
    let more = quiet(target)? - before;
    let each = |bytes: f64| bytes / 1024.0 / READERS as f64;
    Ok(vec![("KiB per reader", each(replay)), ("KiB per reader, after more events", each(more))])
}

/// Each over HTTP/1.1.
pub fn http1(port: u16, session: &str, count: usize) -> io::Result<Vec<TcpStream>> {
    let request = format!("GET /sessions/{session}/stream HTTP/1.1\r\nhost: localhost\r\n\r\n");
    (0..count).map(|_| send(port, request.as_bytes())).collect()
}

/// Each over an HTTP/2 connection of its own, with windows as large as possible.
pub fn http2(port: u16, session: &str, count: usize) -> io::Result<Vec<TcpStream>> {
    (0..count).map(|_| streams(port, session, 1, LARGEST)).collect()
}

/// All over one HTTP/2 connection, with windows as large as possible.
pub fn streams_wide(port: u16, session: &str, count: usize) -> io::Result<Vec<TcpStream>> {
    Ok(vec![streams(port, session, count, LARGEST)?])
}

/// All over one HTTP/2 connection, with empty windows.
pub fn streams_closed(port: u16, session: &str, count: usize) -> io::Result<Vec<TcpStream>> {
    Ok(vec![streams(port, session, count, 0)?])
}

/// The memory, once the server has nothing more to do.
fn quiet(target: &Target) -> Result<f64, Failure> {
    loop {
        let cpu = target.cpu()?;
        thread::sleep(Duration::from_millis(500));
        if target.cpu()? - cpu < 0.02 {
            return settled(target);
        }
    }
}

/// Opens an HTTP/2 connection with this number of streams, each with this window.
fn streams(port: u16, session: &str, count: usize, window: u32) -> io::Result<TcpStream> {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    frame(&mut bytes, 4, 0, 0, &[&[0, 4], &window.to_be_bytes()[..]].concat());
    frame(&mut bytes, 8, 0, 0, &(LARGEST - 65_535).to_be_bytes());
    let path = format!("/sessions/{session}/stream");
    // GET and http from the static table, then path and authority as they are.
    let mut head = vec![0x82, 0x86, 0x04, path.len() as u8];
    head.extend_from_slice(path.as_bytes());
    head.extend_from_slice(b"\x01\x09localhost");
    for stream in 0..count {
        // Whole: END_STREAM and END_HEADERS.
        frame(&mut bytes, 1, 0x5, 2 * stream as u32 + 1, &head);
    }
    send(port, &bytes)
}

fn send(port: u16, request: &[u8]) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_recv_buffer_size(RECEIVED)?;
    socket.set_tcp_mss(PACKET)?;
    socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    let mut connection = TcpStream::from(socket);
    connection.write_all(request)?;
    Ok(connection)
}

fn frame(bytes: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    bytes.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
    bytes.extend_from_slice(&[kind, flags]);
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
}
