//! A server under test: a process of its own on a core of its own.

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

/// The kernel counts CPU time in units of this many per second.
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
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        let port = line.trim().rsplit(' ').next().unwrap_or_default().parse()?;
        Ok(Self { child, port, control: Control::connect(port)? })
    }

    /// The CPU time it has used, in seconds.
    pub fn cpu(&self) -> Result<f64, Failure> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name, in parentheses, may hold anything; the state is the third field.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let (user, system): (f64, f64) = (fields[11].parse()?, fields[12].parse()?);
        Ok((user + system) / TICKS)
    }

    /// Its memory that is resident and its own, in bytes.
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

pub fn beside_us(name: &str) -> Result<PathBuf, Failure> {
    Ok(env::current_exe()?.with_file_name(name))
}
