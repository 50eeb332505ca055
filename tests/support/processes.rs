//! The processes of this machine, from /proc.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

/// A process that was found in /proc.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) args: Vec<String>,
}

impl Process {
    /// Its environment, as far as it can be read.
    pub(crate) fn environment(&self) -> String {
        let bytes = fs::read(format!("/proc/{}/environ", self.pid)).expect("our own process's environment");
        String::from_utf8_lossy(&bytes).replace('\0', "\n")
    }

    /// Its parent process, if it still runs.
    pub(crate) fn parent(&self) -> Option<u32> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
    }

    pub(crate) fn kill(&self) {
        kill_process(Pid::from_raw(self.pid).expect("a pid"), Signal::KILL).expect("a process of ours");
    }
}

/// The processes whose arguments match. Zombies have no arguments.
pub(crate) fn matching(wanted: impl Fn(&[String]) -> bool) -> Vec<Process> {
    let pids = fs::read_dir("/proc")
        .expect("/proc")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid: i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let args: Vec<String> =
            line.split(|byte| *byte == 0).map(|arg| String::from_utf8_lossy(arg).into_owned()).collect();
        wanted(&args).then_some(Process { pid, args })
    })
    .collect()
}

/// The agent of this session.
pub(crate) fn agent_of(session_id: &str) -> Vec<Process> {
    matching(|args| {
        args.iter().any(|arg| {
            arg == &format!("--session-id={session_id}") || arg == &format!("--resume={session_id}")
        })
    })
}

/// The commands that were started as `sleep <seconds>`.
pub(crate) fn sleeps(seconds: u64) -> Vec<Process> {
    matching(|args| args.len() >= 2 && args[0].ends_with("sleep") && args[1] == seconds.to_string())
}

/// The resident memory of a process, in KiB.
pub(crate) fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a process that runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it has memory");
    line.trim_end_matches("kB").trim().parse().expect("a number")
}
