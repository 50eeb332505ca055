//! The task that stores the appends of all streams of an event log.
//!
//! It takes all jobs that wait and stores them as one group, in one transaction. Jobs that arrive meanwhile
//! form the next group.

mod group;

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use self::group::{Entry, Group};
use super::{
    DurableConfig, LogError,
    backend::{SqlBackend, Write},
    open_stream::{Job, OpenStream},
    outage::Outage,
    retention::Step,
};
use crate::{layers::resume::AppendError, metrics::CommitTimes};

/// Maximum number of jobs in a group.
const JOBS: usize = 1024;
/// Time between two tries of a retention step that fails.
const RETRY_RETENTION: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Writer {
    pub(super) rows: Arc<dyn SqlBackend>,
    pub(super) config: DurableConfig,
    pub(super) jobs: mpsc::UnboundedReceiver<Job>,
    /// Once cancelled, no new jobs are accepted and an unavailable database is not waited for.
    pub(super) stop: CancellationToken,
    pub(super) outage: Outage,
    pub(super) times: CommitTimes,
    /// Retention steps that failed, and when to try them again.
    pub(super) postponed: Postponed,
}

#[derive(Debug)]
pub(super) struct Postponed {
    steps: Vec<(Arc<OpenStream>, bool)>,
    until: Instant,
}

impl Default for Postponed {
    fn default() -> Self {
        Self { steps: Vec::new(), until: Instant::now() }
    }
}

impl Writer {
    pub(super) async fn run(mut self) {
        let mut jobs = Vec::new();
        loop {
            tokio::select! {
                biased;
                taken = self.jobs.recv_many(&mut jobs, JOBS) => if taken == 0 { break },
                () = self.stop.cancelled() => {
                    self.jobs.close();
                    continue;
                }
                () = sleep_until(self.postponed.until), if !self.postponed.steps.is_empty() => {
                    for (stream, all) in std::mem::take(&mut self.postponed.steps) {
                        self.retention(stream, all).await;
                    }
                    continue;
                }
            }
            let mut group = Group::default();
            let mut retention = Vec::new();
            for job in jobs.drain(..) {
                match job {
                    Job::Append(append) => group.append(append, self.config.classify),
                    Job::Close(stream) => group.close(&stream),
                    Job::Retention { stream, all } => retention.push((stream, all)),
                }
            }
            self.store(group).await;
            for (stream, all) in retention {
                self.retention(stream, all).await;
            }
        }
    }

    async fn store(&mut self, group: Group) {
        let (entries, writes) = group.into_parts();
        if writes.is_empty() {
            return;
        }
        match self.commit(&writes).await {
            Ok(stored) => {
                for ((entry, write), stored) in entries.into_iter().zip(&writes).zip(stored) {
                    self.settle(entry, write, Ok(stored)).await;
                }
            }
            Err(error) => {
                // A write that the database refuses must not fail the writes of other streams.
                let alone = error.is_fault_of_row() && writes.len() > 1;
                for (entry, write) in entries.into_iter().zip(&writes) {
                    let outcome = match alone {
                        true => self.commit(std::slice::from_ref(write)).await.map(|stored| stored == [true]),
                        false => Err(error.clone()),
                    };
                    self.settle(entry, write, outcome).await;
                }
            }
        }
    }

    /// Retries until it is known what was stored, or the outage has lasted too long.
    async fn commit(&mut self, writes: &[Write]) -> Result<Vec<bool>, LogError> {
        loop {
            let since = Instant::now();
            let error = match self.rows.commit(writes).await {
                Ok(stored) => {
                    self.times.took(since.elapsed());
                    if let Some(lasted) = self.outage.end() {
                        tracing::info!(?lasted, "the event log's database is available again");
                    }
                    return Ok(stored);
                }
                Err(error) => LogError::from(error),
            };
            if error.is_fault_of_row() {
                return Err(error);
            }
            if !self.outage.is_on() {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "cannot write to the event log's database; events wait");
            }
            if self.outage.is_over(self.config.outage) || self.stop.is_cancelled() {
                return Err(error);
            }
            tokio::select! {
                () = self.outage.pause() => {}
                () = self.stop.cancelled() => {}
            }
        }
    }

    async fn settle(&self, entry: Entry, write: &Write, outcome: Result<bool, LogError>) {
        match outcome {
            Ok(true) => {
                let stream = Arc::clone(&entry.stream);
                entry.show(write).await;
                self.request_upkeep(&stream, write.close);
            }
            Ok(false) => entry.fail(|| AppendError::Fenced),
            Err(error) => entry.fail(|| AppendError::Unavailable(error.clone().into())),
        }
    }

    fn request_upkeep(&self, stream: &Arc<OpenStream>, all: bool) {
        let due = stream.due(&self.config, all);
        let mut retention = stream.retention();
        if due.is_some() && !retention.waiting {
            let stream = Arc::clone(stream);
            retention.waiting =
                stream.shared.jobs.send(Job::Retention { stream: Arc::clone(&stream), all }).is_ok();
        }
    }

    /// Runs one step and queues the next one, behind the appends that wait by then.
    async fn retention(&mut self, stream: Arc<OpenStream>, all: bool) {
        let Some(step) = stream.due(&self.config, all) else {
            stream.retention().waiting = false;
            return;
        };
        let done = match step {
            Step::Trim { oldest } => self.rows.trim(stream.id, stream.epoch, oldest),
            Step::Compact { after, until } => self.rows.compact(stream.id, stream.epoch, after, until),
        };
        let done = done.await;
        if let Err(error) = done {
            tracing::debug!(%error, "a retention step failed; old events stay for now");
            self.postponed.until = Instant::now() + RETRY_RETENTION;
            self.postponed.steps.push((stream, all));
            return;
        }
        {
            let mut retention = stream.retention();
            retention.waiting = false;
            retention.done(step);
        }
        self.request_upkeep(&stream, all);
    }
}
