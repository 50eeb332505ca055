//! Runs many readers of one stream on one thread.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::Shutdown,
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token, net::TcpStream};

use super::{parser::Parser, target::Failure};
use agent_webkit_load::script::monotonic_nanos;

/// Maximum time that a test waits for something.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Fleet {
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    readers: Vec<Reader>,
    /// The times from the creation of an event to its receipt, in nanoseconds.
    pub latencies: Vec<u64>,
}

struct Reader {
    stream: TcpStream,
    parser: Parser,
    /// Whether it has stopped reading.
    stalled: bool,
}

impl Fleet {
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            buffer: vec![0; 256 << 10],
            readers: Vec::new(),
            latencies: Vec::new(),
        })
    }

    /// Adds readers of `session` that resume after the event `last`.
    pub fn join(&mut self, port: u16, session: &str, last: u64, readers: usize) -> io::Result<()> {
        let request = format!(
            "GET /sessions/{session}/stream HTTP/1.1\r\nhost: localhost\r\nlast-event-id: {last}\r\n\r\n"
        );
        for _ in 0..readers {
            let mut stream = std::net::TcpStream::connect(("127.0.0.1", port))?;
            stream.set_nodelay(true)?;
            stream.write_all(request.as_bytes())?;
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            self.poll.registry().register(&mut stream, Token(self.readers.len()), Interest::READABLE)?;
            self.readers.push(Reader { stream, parser: Parser::after(last), stalled: false });
        }
        Ok(())
    }

    /// Makes a reader stop reading.
    pub fn stall(&mut self, reader: usize) -> io::Result<()> {
        let reader = &mut self.readers[reader];
        reader.stalled = true;
        self.poll.registry().deregister(&mut reader.stream)
    }

    /// Disconnects a reader that has stopped.
    pub fn dismiss(&mut self, reader: usize) -> io::Result<()> {
        self.readers[reader].stream.shutdown(Shutdown::Both)
    }

    /// Waits until every active reader has received the event `last`.
    pub fn until(&mut self, last: u64) -> Result<(), Failure> {
        let reads = |reader: &&Reader| !reader.stalled && reader.parser.last < last;
        let mut behind = self.readers.iter().filter(reads).count();
        let deadline = Instant::now() + PATIENCE;
        while behind > 0 {
            self.poll.poll(&mut self.events, Some(Duration::from_secs(1)))?;
            if Instant::now() > deadline {
                return Err(format!("{behind} readers did not get event {last}").into());
            }
            for event in &self.events {
                let reader = &mut self.readers[event.token().0];
                let before = reader.parser.last;
                reader.read(&mut self.buffer, &mut self.latencies)?;
                behind -= usize::from(before < last && reader.parser.last >= last);
            }
        }
        Ok(())
    }

    /// Number of events read by all readers.
    pub fn delivered(&self) -> u64 {
        self.readers.iter().map(|reader| reader.parser.events).sum()
    }

    /// Bytes of events read by all readers.
    pub fn bytes(&self) -> u64 {
        self.readers.iter().map(|reader| reader.parser.bytes).sum()
    }
}

impl Reader {
    fn read(&mut self, buffer: &mut [u8], latencies: &mut Vec<u64>) -> Result<(), Failure> {
        loop {
            let count = match self.stream.read(buffer) {
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            self.parser.feed(&buffer[..count]);
            if !self.parser.stamps.is_empty() {
                let now = monotonic_nanos();
                latencies.extend(self.parser.stamps.drain(..).map(|made| now.saturating_sub(made)));
            }
            if let Some(fault) = self.parser.fault.take() {
                return Err(format!("a stream is not what it should be: {fault}").into());
            }
            if count == 0 {
                return Err("a stream ended".into());
            }
            // A short read means that the socket is empty.
            if count < buffer.len() {
                return Ok(());
            }
        }
    }
}
