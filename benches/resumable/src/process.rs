//! Servers as processes, and what they cost.

use std::{
    error::Error,
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ring,
    Sqlite,
    Axum,
    Redis,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Ring, Self::Sqlite, Self::Axum, Self::Redis];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ring => "`RecordLayer`, in memory",
            Self::Sqlite => "`RecordLayer`, SQLite",
            Self::Axum => "axum's `Sse`, a replay buffer",
            Self::Redis => "`resumable-stream`, Redis, Node",
        }
    }
}

/// CPU time and memory.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    pub(crate) cpu: Duration,
    pub(crate) resident: u64,
}

/// A server, and Redis if it needs that. Both end when it is dropped.
pub(crate) struct Server {
    kind: Kind,
    process: Child,
    redis: Option<(Child, u16)>,
    folder: TempDir,
    pub(crate) url: String,
}

impl Server {
    pub(crate) fn start(kind: Kind) -> Result<Self, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let redis = (kind == Kind::Redis).then(|| start_redis(&folder)).transpose()?;
        let (process, url) = start(kind, &folder, redis.as_ref().map(|(_, port)| *port))?;
        Ok(Self { kind, process, redis, folder, url })
    }

    /// Kills the server with no time to do anything, and starts it again. Redis runs on.
    pub(crate) fn kill_and_restart(&mut self) -> Result<(), Box<dyn Error>> {
        self.process.kill()?;
        self.process.wait()?;
        (self.process, self.url) =
            start(self.kind, &self.folder, self.redis.as_ref().map(|(_, port)| *port))?;
        Ok(())
    }

    /// Of the server, and of Redis.
    pub(crate) fn cost(&self) -> Result<[Cost; 2], Box<dyn Error>> {
        let redis = self.redis.as_ref().map(|(redis, _)| cost(redis.id())).transpose()?;
        Ok([cost(self.process.id())?, redis.unwrap_or_default()])
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let redis = self.redis.as_mut().map(|(redis, _)| redis);
        for process in [Some(&mut self.process), redis].into_iter().flatten() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn start(kind: Kind, folder: &TempDir, redis: Option<u16>) -> Result<(Child, String), Box<dyn Error>> {
    let mut command = match kind {
        Kind::Redis => Command::new("node"),
        _ => Command::new(std::env::current_exe()?),
    };
    match kind {
        Kind::Ring => command.args(["serve", "ring"]),
        Kind::Sqlite => command.args(["serve", "sqlite"]).arg(folder.path().join("streams.db")),
        Kind::Axum => command.args(["serve", "axum"]),
        Kind::Redis => command.args(["--expose-gc", "resumable_stream.mjs"]),
    };
    if let Some(port) = redis {
        command.env("REDIS_URL", format!("redis://127.0.0.1:{port}"));
    }
    let mut process = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn()?;
    let mut said = String::new();
    BufReader::new(process.stdout.take().ok_or("no output")?).read_line(&mut said)?;
    let url = said.trim().strip_prefix("listening on ").ok_or("the server has not started")?;
    Ok((process, url.to_owned()))
}

fn start_redis(folder: &TempDir) -> Result<(Child, u16), Box<dyn Error>> {
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut command = Command::new("redis-server");
    command
        .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--dir"])
        .arg(folder.path());
    let mut process = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn()?;
    let lines = BufReader::new(process.stdout.take().ok_or("no output")?);
    let mut lines = lines.lines();
    while !lines.next().ok_or("Redis has not started")??.contains("Ready to accept connections") {}
    // It may have more to say.
    std::thread::spawn(move || lines.for_each(drop));
    Ok((process, port))
}

fn cost(pid: u32) -> Result<Cost, Box<dyn Error>> {
    let mut cpu = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let times = fs::read_to_string(task?.path().join("schedstat"))?;
        cpu += times.split(' ').next().ok_or("no time")?.parse::<u64>()?;
    }
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let resident: u64 = resident.trim().trim_end_matches(" kB").parse()?;
    Ok(Cost { cpu: Duration::from_nanos(cpu), resident: resident * 1024 })
}
