//! The tag every process of an agent carries, and the end of all that carry it.
//!
//! Measured: the CLI starts its shells in sessions and process groups of their own, and once it is dead
//! they are nobody's children. Neither the group nor the family tree finds them, but the environment
//! they inherited does. It is read from `/proc`; where there is none (macOS) only the agent's process
//! group can be ended. A process that empties its environment and leaves its group gets away.

use std::{
    collections::HashSet,
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, getpgid, getpgrp, kill_process, kill_process_group};

/// The environment variable that holds it. Not a secret.
const VARIABLE: &str = "AGENT_WEBKIT_AGENT";

/// The time between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// A process that is still there so long after SIGKILL cannot be ended.
const GIVE_UP: Duration = Duration::from_secs(3);

/// A process is invisible for a moment while it executes another program, so one look is not enough.
const QUIET_LOOKS: u32 = 3;

/// What the environment of an agent's processes carries: the host's part, then the agent's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProcessTag(String);

impl ProcessTag {
    /// A tag for all agents of one host.
    pub(crate) fn of_host() -> Self {
        Self(format!("{}:", uuid::Uuid::new_v4()))
    }

    /// A tag for one agent of that host.
    pub(crate) fn of_agent(&self) -> Self {
        Self(format!("{}{}", self.0, uuid::Uuid::new_v4()))
    }

    /// The environment variable, as name and value.
    pub(crate) fn variable(&self) -> (&'static str, &str) {
        (VARIABLE, &self.0)
    }

    /// The environment variable as `/proc` shows it; for a host's tag, how all of its agents' begin.
    pub(crate) fn entry(&self) -> String {
        format!("{VARIABLE}={}", self.0)
    }

    /// Ends everything that carries it, together with its process group: SIGTERM, after `grace` SIGKILL,
    /// again and again until a few looks in a row find nothing. Blocks. `group` is the agent's own, for
    /// where marks cannot be seen.
    ///
    /// Returns how many are left, which is more than none only if they cannot be killed.
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
                    signal(pid, Signal::KILL);
                } else if asked.insert(pid) {
                    signal(pid, Signal::TERM);
                }
            }
            if quiet == QUIET_LOOKS || start.elapsed() > grace + GIVE_UP {
                return found.len();
            }
            thread::sleep(PAUSE);
        }
    }

    /// The processes that carry it.
    fn carriers(&self) -> Vec<Pid> {
        let entry = self.entry();
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        processes
            .filter_map(|process| Pid::from_raw(process.file_name().to_str()?.parse().ok()?))
            .filter(|pid| {
                // Another user's processes cannot be read, nor could they be ended.
                let environ = fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero())).unwrap_or_default();
                environ.split(|byte| *byte == 0).any(|variable| variable == entry.as_bytes())
            })
            .collect()
    }
}

/// There is a `/proc` that shows marks.
pub(crate) fn can_look() -> bool {
    Path::new("/proc/self/environ").exists()
}

/// To a process and its group, but never to our own group, wherever the process has moved to.
fn signal(pid: Pid, signal: Signal) {
    if let Ok(group) = getpgid(Some(pid))
        && group != getpgrp()
        && group != Pid::INIT
    {
        end_group(group, signal);
    }
    // Gone meanwhile is as good.
    let _ = kill_process(pid, signal);
}

/// To all processes of a group.
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
        assert_eq!(tag.end_all(None, Duration::from_millis(100)), 0);
        assert!(!polite.wait().unwrap().success() && !deaf.wait().unwrap().success());
        assert!(tag.carriers().is_empty());
        assert!(bystander.try_wait().unwrap().is_none());
        assert_eq!(other.end_all(None, Duration::ZERO), 0);
        bystander.wait().unwrap();
    }
}
