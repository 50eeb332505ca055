//! CPU times of processes, in nanoseconds as the scheduler counts them, ended threads included.

use std::fs;

use nix::{
    time::{clock_getcpuclockid, clock_gettime},
    unistd::Pid,
};

use super::target::Failure;

/// Returns the CPU time that a process has used, in seconds.
pub fn of_process(pid: u32) -> Result<f64, Failure> {
    let clock = clock_getcpuclockid(Pid::from_raw(pid.cast_signed()))?;
    let time = clock_gettime(clock)?;
    Ok(time.tv_sec() as f64 + time.tv_nsec() as f64 / 1e9)
}

/// The processes of the Postgres server that listens on this port of this machine.
///
/// A process that ends between two looks takes its time with it, so both should be taken while all connections stay open.
pub fn postgres(port: u16) -> Result<f64, Failure> {
    let port = port.to_string();
    let processes = || fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = || processes().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let main = pids().find(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        words[0].ends_with(b"postgres") && words.windows(2).any(|pair| pair == [b"-p", port.as_bytes()])
    });
    let main = main.ok_or("Postgres does not run on this machine")?;
    let is_its = |pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent =
            stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)?.parse::<u32>().ok());
        parent == Some(main)
    };
    let children = pids().filter(is_its).filter_map(|pid| of_process(pid).ok());
    Ok(of_process(main)? + children.sum::<f64>())
}
