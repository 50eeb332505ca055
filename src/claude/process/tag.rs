//! The process tag: an environment variable that all processes of an agent inherit and are found by.
//!
//! Measured: the CLI starts its shells in sessions and process groups of their own, and they are reparented
//! when it dies. Neither the process group nor the process tree finds them, but the inherited environment
//! does. It is read from `/proc`; without `/proc` (macOS) only the agent's process group can be ended. A
//! process that clears its environment and leaves its group is not found.

use std::{
    collections::HashSet,
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, getpgid, getpgrp, kill_process, kill_process_group};

/// The environment variable that holds the process tag. Not a secret.
const VARIABLE: &str = "AGENT_WEBKIT_AGENT";

/// The pause between two scans of `/proc`.
const PAUSE: Duration = Duration::from_millis(20);

/// How long after the first SIGKILL [`ProcessTag::end_all`] gives up.
const GIVE_UP: Duration = Duration::from_secs(3);

/// The number of empty scans in a row after which no process is left. A process has no readable environment
/// during `exec`, so one empty scan proves nothing.
const QUIET_LOOKS: u32 = 3;

/// The value of the environment variable: the host's part, then the agent's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProcessTag(String);

impl ProcessTag {
    /// Creates the process tag of a host, the prefix of its agents' tags.
    pub(crate) fn of_host() -> Self {
        Self(format!("{}:", uuid::Uuid::new_v4()))
    }

    /// Creates the process tag of one agent of this host.
    pub(crate) fn of_agent(&self) -> Self {
        Self(format!("{}{}", self.0, uuid::Uuid::new_v4()))
    }

    /// Returns the environment variable as name and value.
    pub(crate) fn variable(&self) -> (&'static str, &str) {
        (VARIABLE, &self.0)
    }

    /// Returns the environment variable as `/proc` shows it. A host's entry is a prefix of its agents'
    /// entries.
    pub(crate) fn entry(&self) -> String {
        format!("{VARIABLE}={}", self.0)
    }

    /// Ends all processes that carry this tag, with their process groups: SIGTERM once, SIGKILL after
    /// `grace`, repeated until three scans in a row find none. Blocks. Without `/proc`, kills `group`, the
    /// agent's process group, instead.
    ///
    /// Returns the number of processes that are left: 0, unless some could not be killed.
    pub(crate) fn end_all(&self, group: Option<Pid>, grace: Duration) -> usize {
        if !can_look() {
            group.into_iter().for_each(|group| end_group(group, Signal::KILL));
            return 0;
        }
        let (start, mut asked, mut quiet) = (Instant::now(), HashSet::new(), 0);
        loop {
            let found = self.carriers();
            quiet = if found.is_empty() { quiet + 1 } else { 0 };
            let kill = start.elapsed() >= grace;
            for pid in found.iter().copied() {
                if kill {
                    self.signal(pid, Signal::KILL);
                } else if asked.insert(pid) {
                    self.signal(pid, Signal::TERM);
                }
            }
            if quiet == QUIET_LOOKS || start.elapsed() > grace + GIVE_UP {
                return found.len();
            }
            thread::sleep(PAUSE);
        }
    }

    /// Returns the processes that carry this tag.
    fn carriers(&self) -> Vec<Pid> {
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        processes
            .filter_map(|process| Pid::from_raw(process.file_name().to_str()?.parse().ok()?))
            .filter(|pid| {
                // The environment of another user's process cannot be read, but it could not be killed
                // either.
                self.is_in(&environ(*pid))
            })
            .collect()
    }

    fn is_in(&self, environ: &[u8]) -> bool {
        let entry = self.entry();
        environ.split(|byte| *byte == 0).any(|variable| variable == entry.as_bytes())
    }

    /// Signals a process and its group, but no group that the process has joined: not our own, and none whose leader
    /// does not carry this tag. Otherwise an agent of another user could join the watcher's group, and would have us
    /// end what it may not signal itself.
    fn signal(&self, pid: Pid, signal: Signal) {
        if let Ok(group) = getpgid(Some(pid))
            && group != getpgrp()
            && group != Pid::INIT
        {
            let leader = environ(group);
            // It is empty if the leader has ended.
            if leader.is_empty() || self.is_in(&leader) {
                end_group(group, signal);
            }
        }
        // The process may have exited since the scan.
        let _ = kill_process(pid, signal);
    }
}

/// Whether `/proc` shows the environments of processes.
pub(crate) fn can_look() -> bool {
    Path::new("/proc/self/environ").exists()
}

/// The environment with which a process was started; empty if it has ended or cannot be read.
fn environ(pid: Pid) -> Vec<u8> {
    fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero())).unwrap_or_default()
}

/// Signals all processes of a group.
pub(crate) fn end_group(group: Pid, signal: Signal) {
    let _ = kill_process_group(group, signal);
}

#[cfg(test)]
mod tests {
    use std::{
        os::unix::process::CommandExt,
        process::{Child, Command, Stdio},
    };

    use super::*;

    fn sleeper(tag: &ProcessTag, script: &str) -> Child {
        let (name, value) = tag.variable();
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", script]).env(name, value).stdout(Stdio::null()).process_group(0).spawn().unwrap()
    }

    #[test]
    fn all_carriers_end_and_others_stay() {
        let host = ProcessTag::of_host();
        let (tag, other) = (host.of_agent(), host.of_agent());
        let mut polite = sleeper(&tag, "sleep 300");
        let mut deaf = sleeper(&tag, "trap '' TERM; while :; do sleep 300 & wait; done");
        let mut bystander = sleeper(&other, "sleep 300");
        let in_its_group = {
            let (name, value) = tag.variable();
            let group = bystander.id().cast_signed();
            Command::new("sleep").arg("300").env(name, value).process_group(group).spawn()
        };
        let mut in_its_group = in_its_group.unwrap();
        assert_eq!(tag.end_all(None, Duration::from_millis(100)), 0);
        assert!(!in_its_group.wait().unwrap().success());
        assert!(!polite.wait().unwrap().success() && !deaf.wait().unwrap().success());
        assert!(tag.carriers().is_empty());
        assert!(bystander.try_wait().unwrap().is_none());
        assert_eq!(other.end_all(None, Duration::ZERO), 0);
        bystander.wait().unwrap();
    }
}
