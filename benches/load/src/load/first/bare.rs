//! The CLI by itself, started in the same way as by the product.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use agent_webkit::claude::FLAGS;
use uuid::Uuid;

use super::{MESSAGE, Plot, Way, spawn_on_all_cores};
use crate::load::target::Failure;

pub struct Bare(Plot);

impl Bare {
    pub fn new(plot: Plot) -> Self {
        Self(plot)
    }

    fn spawn(&self) -> Result<Child, Failure> {
        let Plot { workspace, claude, environment, .. } = &self.0;
        let mut command = Command::new(claude);
        command
            .args(FLAGS)
            .arg(format!("--session-id={}", Uuid::new_v4()))
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .env("AGENT_WEBKIT_AGENT", format!("{}:{}", Uuid::new_v4(), Uuid::new_v4()))
            .current_dir(workspace)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0);
        spawn_on_all_cores(&mut command)
    }
}

impl Way for Bare {
    fn sample(&mut self) -> Result<Duration, Failure> {
        let uuid = Uuid::new_v4();
        let input = format!(
            concat!(
                r#"{{"type":"control_request","request_id":"1","request":{{"subtype":"initialize","hooks":null}}}}"#,
                "\n",
                r#"{{"type":"user","uuid":"{}","message":{{"role":"user","content":"{}"}}}}"#,
                "\n"
            ),
            uuid, MESSAGE
        );
        let start = Instant::now();
        let mut child = self.spawn()?;
        let (mut stdin, stdout) = child.stdin.take().zip(child.stdout.take()).ok_or("no pipes")?;
        stdin.write_all(input.as_bytes())?;
        let mut lines = BufReader::new(stdout).lines();
        let taken = loop {
            let line = lines.next().ok_or("the CLI ended without a delta")??;
            if line.starts_with(r#"{"type":"stream_event""#) && line.contains("text_delta") {
                break start.elapsed();
            }
        };
        drop(stdin);
        lines.for_each(drop);
        child.wait()?;
        Ok(taken)
    }
}
