//! Sends plain requests, one after the other on one connection.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::Duration,
};

use super::target::Failure;

pub struct Control {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Control {
    pub fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Self { stream, answer: Vec::new() })
    }

    /// Creates a session and returns its id.
    pub fn create(&mut self) -> Result<String, Failure> {
        self.ask_create()?;
        self.created()
    }

    pub fn ask_create(&mut self) -> io::Result<()> {
        self.send("POST", "/sessions", "{}")
    }

    pub fn created(&mut self) -> Result<String, Failure> {
        let body = self.receive(200)?;
        let id = body.split(r#""session_id":""#).nth(1).and_then(|rest| rest.split('"').next());
        Ok(id.ok_or("no session id")?.to_owned())
    }

    pub fn ask_delete(&mut self, session: &str) -> io::Result<()> {
        self.send("DELETE", &format!("/sessions/{session}"), "")
    }

    pub fn deleted(&mut self) -> Result<(), Failure> {
        self.receive(204).map(drop)
    }

    pub fn input(&mut self, session: &str, content: &str) -> Result<(), Failure> {
        let body = format!(r#"{{"type":"user_message","content":"{content}"}}"#);
        self.send("POST", &format!("/sessions/{session}/input"), &body)?;
        self.receive(204).map(drop)
    }

    fn send(&mut self, method: &str, path: &str, body: &str) -> io::Result<()> {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        self.stream.write_all(request.as_bytes())
    }

    /// Returns the body of a response, which must have this status.
    fn receive(&mut self, status: u16) -> Result<String, Failure> {
        self.answer.clear();
        loop {
            let mut buffer = [0; 4096];
            let count = self.stream.read(&mut buffer)?;
            if count == 0 {
                return Err("a connection ended".into());
            }
            self.answer.extend_from_slice(&buffer[..count]);
            let text = String::from_utf8_lossy(&self.answer);
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() < length.map_or(Ok(0), str::parse)? {
                continue;
            }
            if !head.starts_with(&format!("HTTP/1.1 {status} ")) {
                return Err(format!("not {status}: {text}").into());
            }
            return Ok(body.to_owned());
        }
    }
}
