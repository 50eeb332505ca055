//! Observes the agents of a server from outside.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use crate::load::target::Failure;

/// Time without CPU use after which processes count as idle. It is longer than a tick of the kernel's clock.
const QUIET: Duration = Duration::from_millis(300);

/// Maximum time for agents to start or to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// The agents of a server: its child processes, without the watcher's shell.
struct Agents {
    count: usize,
    /// The CPU time that they and the server have used, in the kernel's ticks.
    cpu: u64,
}

/// Waits until `server` has this many agents, and it and they have been idle for [`QUIET`].
pub fn settle(server: u32, agents: usize) -> Result<(), Failure> {
    let deadline = Instant::now() + PATIENCE;
    let mut before = Agents::of(server)?;
    loop {
        thread::sleep(QUIET);
        let now = Agents::of(server)?;
        if now.count == agents && now.cpu == before.cpu {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(
                format!("{} agents instead of {agents}, or they do not come to rest", now.count).into()
            );
        }
        before = now;
    }
}

impl Agents {
    fn of(server: u32) -> Result<Self, Failure> {
        let mut agents = Self { count: 0, cpu: 0 };
        for process in fs::read_dir("/proc")? {
            // A process may have ended meanwhile.
            let Ok(stat) = fs::read_to_string(process?.path().join("stat")) else { continue };
            let Some((name, fields)) = stat.rsplit_once(')') else { continue };
            let fields: Vec<&str> = fields.split_whitespace().collect();
            // The fields after the name are the state and the parent.
            let is_child = fields[1].parse() == Ok(server) && !name.ends_with("(sh");
            if is_child || name.split(' ').next() == Some(server.to_string().as_str()) {
                agents.count += usize::from(is_child);
                agents.cpu += ticks(&fields)?;
            }
        }
        Ok(agents)
    }
}

/// Returns the user and system time of a process, from the fields of its `stat` after the name.
fn ticks(stat: &[&str]) -> Result<u64, Failure> {
    Ok(stat[11].parse::<u64>()? + stat[12].parse::<u64>()?)
}
