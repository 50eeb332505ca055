//! The product's binary, with clients over HTTP.

use std::{
    io::{Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use memchr::memmem;

use super::{MESSAGE, Plot, Way, binary, spawn_on_all_cores, tree};
use crate::load::{
    control::Control,
    target::{Failure, port},
};

pub struct Product {
    child: Child,
    port: u16,
    /// Number of agents that it keeps without a session.
    kept: usize,
}

impl Product {
    /// Starts the binary with these additional options.
    pub fn start(plot: &Plot, options: &[&str]) -> Result<Self, Failure> {
        let mut command = Command::new(binary()?);
        command
            .args(["serve", "--port=0", "--no-auth"])
            .args([concat("--workspace=", &plot.workspace), concat("--claude=", &plot.claude)])
            .args(options)
            .env_clear()
            .envs(plot.environment.iter().map(|(name, value)| (name, value)))
            .env("RUST_LOG", "error")
            .current_dir(&plot.home)
            .stdout(Stdio::piped());
        let mut child = spawn_on_all_cores(&mut command)?;
        let port = port(&mut child)?;
        let kept =
            options.iter().find_map(|option| option.strip_prefix("--warm=")).map_or(Ok(0), str::parse)?;
        let product = Self { child, port, kept };
        product.settle()?;
        Ok(product)
    }

    /// Waits until it has as many agents as without a session, and all are idle.
    fn settle(&self) -> Result<(), Failure> {
        tree::settle(self.child.id(), self.kept)
    }
}

impl Way for Product {
    fn sample(&mut self) -> Result<Duration, Failure> {
        let mut control = Control::connect(self.port)?;
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;

        let start = Instant::now();
        let session = control.create()?;
        let request = format!("GET /sessions/{session}/stream HTTP/1.1\r\nhost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        control.input(&session, MESSAGE)?;
        until_delta(&mut stream)?;
        let taken = start.elapsed();

        control.ask_delete(&session)?;
        control.deleted()?;
        self.settle()?;
        Ok(taken)
    }
}

impl Drop for Product {
    /// Ends the server by a signal that it handles, so that its agents end as well.
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.child.wait();
    }
}

fn concat(option: &str, path: &std::path::Path) -> std::ffi::OsString {
    let mut argument = std::ffi::OsString::from(option);
    argument.push(path);
    argument
}

/// Reads up to the first delta.
fn until_delta(stream: &mut TcpStream) -> Result<(), Failure> {
    let (mut read, mut buffer) = (Vec::new(), [0; 16 << 10]);
    while memmem::find(&read, b"event: message_delta\n").is_none() {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Err(format!("no delta: {}", String::from_utf8_lossy(&read)).into());
        }
        read.extend_from_slice(&buffer[..count]);
    }
    Ok(())
}
