//! The end: nothing of an agent stays behind, and nothing it said is lost.

use std::{io, process::ExitStatus, time::Duration};

use tokio::{io::AsyncReadExt, time::timeout};

use super::{CHUNK, Supervisor, hand_on};
use crate::{claude::process::cli_process::exit_message, proto::AgentEvent};

/// A pipe that is still open so long after all its writers should be gone is given up.
const LAST_WORDS: Duration = Duration::from_secs(2);

impl Supervisor {
    /// Ends what the process left behind, reads its last words, and tells its end.
    pub(crate) async fn clean_up(mut self, status: io::Result<ExitStatus>) {
        self.sweep().await;
        self.read_last_words().await;
        self.deliver();
        self.store_the_rest().await;
        self.remove_home().await;
        self.bridge.handle_end();
        self.deliver_all().await;
        if timeout(LAST_WORDS, &mut self.stderr).await.is_err() {
            self.stderr.abort();
        }
        let message = exit_message(status, &self.tail.text());
        tracing::debug!(message, "agent gone");
        // Whoever no longer listens does not want to know.
        let _ = self.events.send(AgentEvent::Exited { message }).await;
    }

    async fn sweep(&mut self) {
        let grace = if self.aborted { Duration::ZERO } else { self.grace.leftovers };
        let (tag, group) = (self.tag.clone(), self.group);
        match tokio::task::spawn_blocking(move || tag.end_all(group, grace)).await {
            Ok(0) => {}
            Ok(left) => tracing::error!(left, "processes of an agent cannot be killed"),
            Err(error) => tracing::error!(%error, "the search for what an agent left behind failed"),
        }
    }

    /// All its writers are dead, so a pipe holds the rest: not much.
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
        for news in mirror.finish().await {
            if matches!(news, AgentEvent::Fenced) {
                self.bridge.events().clear();
            }
            self.bridge.events().push_front(news);
        }
    }

    async fn remove_home(&mut self) {
        let config_dir = self.config_dir.take();
        if let Err(error) = tokio::task::spawn_blocking(move || drop(config_dir)).await {
            tracing::error!(%error, "the folder of an agent could not be removed");
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
