//! Cleanup after a process exited: its leftover processes, its remaining output, its transcript, its
//! directory.

use std::{io, process::ExitStatus, time::Duration};

use tokio::{io::AsyncReadExt, time::timeout};

use super::{CHUNK, Supervisor, hand_on};
use crate::{claude::process::cli_process::exit_message, proto::AgentEvent};

/// How long to read from a pipe whose writers should all have ended.
const LAST_WORDS: Duration = Duration::from_secs(2);

impl Supervisor {
    /// Ends leftover processes, delivers the remaining output, stores the rest of the transcript and sends
    /// [`AgentEvent::Exited`].
    pub(crate) async fn clean_up(mut self, status: io::Result<ExitStatus>) {
        self.sweep().await;
        self.read_last_words().await;
        self.deliver();
        self.store_the_rest().await;
        self.remove_config_dir().await;
        self.bridge.handle_end();
        self.deliver_all().await;
        if timeout(LAST_WORDS, &mut self.stderr).await.is_err() {
            self.stderr.abort();
        }
        let message = exit_message(status, &self.tail.text());
        tracing::debug!(message, "the agent exited");
        // The session may have dropped its receiver.
        let _ = self.events.send(AgentEvent::Exited { message }).await;
    }

    async fn sweep(&mut self) {
        let grace = if self.aborted { Duration::ZERO } else { self.grace.leftovers };
        let (tag, group) = (self.tag.clone(), self.group);
        match tokio::task::spawn_blocking(move || tag.end_all(group, grace)).await {
            Ok(0) => {}
            Ok(left) => tracing::error!(left, "some processes of the agent could not be killed"),
            Err(error) => tracing::error!(%error, "the search for leftover processes of the agent failed"),
        }
    }

    /// Reads what is left in the stdout pipe. All its writers have ended, so this is at most one pipe buffer.
    async fn read_last_words(&mut self) {
        let mut chunk = vec![0; CHUNK];
        while let Some(stdout) = &mut self.stdout {
            match timeout(LAST_WORDS, stdout.read(&mut chunk)).await {
                Ok(Ok(read @ 1..)) => self.take(&chunk[..read]),
                _ => self.stdout = None,
            }
        }
        if let Some(framed) = self.framer.finish() {
            hand_on(&mut self.bridge, framed);
        }
        self.keep();
        if self.aborted {
            self.bridge.events().retain(|event| matches!(event, AgentEvent::Fenced));
        }
    }

    async fn store_the_rest(&mut self) {
        let Some(mut mirror) = self.mirror.take() else { return };
        self.report_unwritten();
        for report in mirror.finish().await {
            if matches!(report, AgentEvent::Fenced) {
                self.bridge.events().clear();
            }
            self.bridge.events().push_front(report);
        }
    }

    async fn remove_config_dir(&mut self) {
        let config_dir = self.config_dir.take();
        if let Err(error) = tokio::task::spawn_blocking(move || drop(config_dir)).await {
            tracing::error!(%error, "the removal of the agent's config directory failed");
        }
    }

    async fn deliver_all(&mut self) {
        while let Some(event) = self.bridge.events().pop_front() {
            if self.events.send(event).await.is_err() {
                self.bridge.events().clear();
            }
        }
    }
}
