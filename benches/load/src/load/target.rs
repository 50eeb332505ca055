//! A server under test, as a process on its own core.

use std::{
    env,
    error::Error,
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use super::control::Control;

pub type Failure = Box<dyn Error>;

/// Number of ticks per second in which the kernel counts CPU time.
const TICKS: f64 = 100.0;

pub struct Target {
    child: Child,
    pub port: u16,
    pub control: Control,
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
        Ok(Self { child, port, control: Control::connect(port)? })
    }

    /// Returns the CPU time that it has used, in seconds.
    pub fn cpu(&self) -> Result<f64, Failure> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name, in parentheses, may contain anything. The state is the third field.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        Ok(ticks(&fields)? as f64 / TICKS)
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

/// Returns the user and system time of a process, from the fields of its `stat` after the name.
pub fn ticks(stat: &[&str]) -> Result<u64, Failure> {
    Ok(stat[11].parse::<u64>()? + stat[12].parse::<u64>()?)
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
