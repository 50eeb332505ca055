//! A server under test, as a process on its own core.

use std::{
    env,
    error::Error,
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use super::{control::Control, cpu};

pub type Failure = Box<dyn Error>;

pub struct Target {
    child: Child,
    pub port: u16,
    pub control: Control,
    /// Further hosts of the same sessions.
    pub others: Vec<Target>,
}

impl Target {
    /// Starts `server KIND PLACE` on the second core.
    pub fn start(kind: &str, place: &str, variables: &[(&str, &str)]) -> Result<Self, Failure> {
        let server = beside_us("server")?;
        let mut child = Command::new("taskset")
            .args(["-c", "1"])
            .arg(server)
            .args([kind, place])
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .spawn()?;
        let port = port(&mut child)?;
        Ok(Self { child, port, control: Control::connect(port)?, others: Vec::new() })
    }

    /// Starts this number of servers that share the sessions of a database.
    pub fn start_hosts(hosts: usize, place: &str, variables: &[(&str, &str)]) -> Result<Self, Failure> {
        let mut target = Self::start("host", place, variables)?;
        for _ in 1..hosts {
            target.others.push(Self::start("host", place, variables)?);
        }
        Ok(target)
    }

    /// Returns the CPU time that it has used, in seconds.
    pub fn cpu(&self) -> Result<f64, Failure> {
        cpu::of_process(self.child.id())
    }

    /// Returns its anonymous resident memory, in bytes.
    pub fn memory(&self) -> Result<f64, Failure> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).ok_or("no RssAnon")?;
        let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kibibytes * 1024.0)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the port of a server, from the end of its first line.
pub fn port(server: &mut Child) -> Result<u16, Failure> {
    let mut line = String::new();
    BufReader::new(server.stdout.take().ok_or("no output")?).read_line(&mut line)?;
    let port = line.trim().rsplit([' ', ':']).next().unwrap_or_default();
    Ok(port.parse().map_err(|_| format!("not where it listens: {line:?}"))?)
}

pub fn beside_us(name: &str) -> Result<PathBuf, Failure> {
    Ok(env::current_exe()?.with_file_name(name))
}
