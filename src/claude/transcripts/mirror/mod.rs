//! Copies an agent's transcripts to the transcript store while the CLI writes them, and the session's other files
//! with them.
//!
//! The supervisor polls the mirror. One batch is stored at a time, so that entries keep their order. While
//! the transcript store is unavailable, entries are queued and the append is retried. The end of a turn waits
//! for the transcript store, for a limited time and once per outage.

mod batches;
mod key;

use std::{collections::VecDeque, fmt, future::Future, mem, pin::Pin, time::Duration};

use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use self::batches::{Batch, Batches, Full};
pub(crate) use self::key::Keys;
use crate::{
    backoff::Backoff,
    claude::{
        protocol::decode::Mirrored,
        transcripts::kept_files::{self, KeptFiles, Scan},
    },
    metrics::OutageMetrics,
    proto::AgentEvent,
    storage::transcripts::{AnyTranscriptStore, Entry, StoreError, TranscriptKey},
};

/// The maximum size of the queued entries, in bytes.
const BACKLOG: usize = 64 << 20;

/// The part of the queue that files must leave to transcripts, in bytes: a full queue ends the transcript.
const FOR_TRANSCRIPTS: usize = 16 << 20;

// Every kept file fits into an empty queue, or its scan would be repeated for ever.
const _: () = assert!((BACKLOG - FOR_TRANSCRIPTS) as u64 >= kept_files::MAX_STORED);

/// How long an outage lasts before it is reported to the session.
const TOLERATED: Duration = Duration::from_secs(2);

/// The first pause before a retry.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause before a retry.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The timeout of one append, after which the transcript store counts as unavailable.
const NO_ANSWER: Duration = Duration::from_secs(30);

/// The maximum number of refused entries that are reported to the session: a transcript store may refuse all.
const MAX_REPORTED: usize = 10;

/// Copies an agent's transcripts to a transcript store.
pub(crate) struct Mirror {
    store: AnyTranscriptStore,
    keys: Keys,
    files: KeptFiles,
    batches: Batches,
    /// Events for the session that are not returned yet.
    reports: VecDeque<AgentEvent>,
    writing: Option<Writing>,
    outage: Option<Outage>,
    hold: Option<Hold>,
    /// How long the end of a turn, or of the agent, waits for the transcript store.
    patience: Duration,
    full: bool,
    /// The number of refused entries.
    refused: usize,
}

/// An append. Boxed and kept outside `progress`, which may be dropped before the append is complete.
type Writing = Pin<Box<dyn Future<Output = (Batch, Result<(), StoreError>)> + Send>>;

/// An outage of the transcript store.
#[derive(Debug)]
struct Outage {
    since: Instant,
    backoff: Backoff,
    again: Instant,
    reported: bool,
    _metrics: OutageMetrics,
}

/// The end of a turn that waits until all entries before the mark are stored.
#[derive(Clone, Copy, Debug)]
struct Hold {
    mark: u64,
    until: Instant,
}

impl Outage {
    fn new(now: Instant) -> Self {
        let metrics = OutageMetrics::of_transcripts();
        Self {
            since: now,
            backoff: Backoff::new(SHORTEST_PAUSE, LONGEST_PAUSE),
            again: now,
            reported: false,
            _metrics: metrics,
        }
    }
}

impl Mirror {
    /// Creates a mirror. `patience` is how long the end of a turn, or of the agent, waits for the transcript
    /// store.
    pub(crate) fn new(store: AnyTranscriptStore, keys: Keys, files: KeptFiles, patience: Duration) -> Self {
        Self {
            store,
            keys,
            files,
            batches: Batches::new(BACKLOG),
            reports: VecDeque::new(),
            writing: None,
            outage: None,
            hold: None,
            patience,
            full: false,
            refused: 0,
        }
    }

    /// Queues entries that the CLI wrote to a transcript. Returns an event for the session if the queue is
    /// full.
    pub(crate) fn take(&mut self, Mirrored { path, entries }: Mirrored) -> Option<AgentEvent> {
        let Some(key) = self.keys.of(&path) else {
            tracing::warn!(path, "ignored entries of a transcript at an unexpected path");
            return None;
        };
        let names_output = entries.iter().any(kept_files::names_tool_result);
        let report = self.queue(&key, entries);
        // Only now, so that a session without a transcript stores nothing.
        let config_dir = self.files.take_config_dir().and_then(|entry| self.queue_files(vec![entry]));
        // The process may die in the middle of the turn.
        if names_output {
            self.scan_files();
        }
        report.or(config_dir)
    }

    /// Looks for new files of the session. The end of a turn waits until they are stored, too.
    pub(crate) fn scan_files(&mut self) {
        self.files.request();
        self.start_scan();
    }

    fn start_scan(&mut self) {
        let room = self.batches.room();
        self.files.start(room.saturating_sub(FOR_TRANSCRIPTS), room == BACKLOG);
    }

    /// Queues the files that a scan found. They are due at once: a transcript that names them may be stored already.
    fn scanned(&mut self, scan: Scan) {
        let full = self.queue_files(scan.entries);
        self.reports.extend(full);
        self.reports.extend(scan.not_kept.iter().map(|message| incomplete(message)));
        self.batches.flush();
    }

    fn queue_files(&mut self, entries: Vec<Entry>) -> Option<AgentEvent> {
        let key = self.keys.with_subpath(kept_files::SUBPATH)?;
        self.queue(&key, entries)
    }

    fn queue(&mut self, key: &TranscriptKey, entries: Vec<Entry>) -> Option<AgentEvent> {
        match self.batches.push(key, entries, Instant::now()) {
            Err(Full) if !mem::replace(&mut self.full, true) => Some(incomplete(
                "The transcript store was unavailable for too long: the agent's memory is stored only up to here.",
            )),
            _ => None,
        }
    }

    /// Whether the end of a turn, the next event, has to wait for entries that are not stored. The first call
    /// starts the wait.
    pub(crate) fn holds(&mut self) -> bool {
        if self.hold.is_none() && self.files.is_scanning() {
            return true;
        }
        let now = Instant::now();
        let hold = match self.hold {
            Some(hold) => hold,
            None => Hold { mark: self.batches.flush(), until: now + self.patience },
        };
        let given_up = self.hold.is_none() && self.outage.as_ref().is_some_and(|outage| outage.reported);
        let waits = !given_up && now < hold.until && !self.batches.is_stored(hold.mark);
        self.hold = waits.then_some(hold);
        waits
    }

    /// Stores entries until a batch was stored, an append failed, files were found, or an outage or the end of a
    /// wait has to be reported. Cancel safe. Returns an event for the session, if there is one.
    pub(crate) async fn progress(&mut self) -> Option<AgentEvent> {
        loop {
            if let Some(report) = self.reports.pop_front() {
                return Some(report);
            }
            self.start_scan();
            let now = Instant::now();
            if let Some(report) = self.outage_to_report(now) {
                return Some(report);
            }
            let may_write = self.outage.as_ref().is_none_or(|outage| outage.again <= now);
            if self.writing.is_none() && may_write {
                self.writing = self.batches.next(now).map(|batch| write(self.store.clone(), batch));
            }
            let wake = self.wake_at();
            tokio::select! {
                (batch, outcome) = finished(self.writing.as_mut()) => {
                    self.writing = None;
                    return self.written(batch, outcome);
                }
                scan = self.files.scanned() => {
                    self.scanned(scan);
                    return self.reports.pop_front();
                }
                () = until(wake) => {
                    if self.hold.is_some_and(|hold| hold.until <= Instant::now()) {
                        return self.give_up_hold();
                    }
                }
            }
        }
    }

    /// Stores the remaining files and entries, for at most the patience. Returns events for the session.
    pub(crate) async fn finish(&mut self) -> Vec<AgentEvent> {
        let deadline = Instant::now() + self.patience;
        self.hold = None;
        self.scan_files();
        let mut reports = Vec::new();
        while !self.is_finished() {
            match timeout_at(deadline, self.progress()).await {
                Ok(report) => reports.extend(report),
                Err(_) => break,
            }
        }
        if !self.is_finished() {
            tracing::warn!(entries = self.batches.len(), "the end of the transcript could not be stored");
            reports.push(incomplete(
                "The transcript store is not available: the last part of the agent's memory is lost.",
            ));
        }
        reports
    }

    fn is_finished(&mut self) -> bool {
        let mark = self.batches.flush();
        let scans = self.files.is_scanning() || self.files.has_rest();
        !scans && self.reports.is_empty() && self.batches.is_stored(mark)
    }

    fn written(&mut self, batch: Batch, outcome: Result<(), StoreError>) -> Option<AgentEvent> {
        let now = Instant::now();
        match outcome {
            Ok(()) => {
                if let Some(outage) = self.outage.take() {
                    tracing::info!(
                        seconds = (now - outage.since).as_secs(),
                        "the transcript store is available again"
                    );
                }
                self.batches.settled(&batch);
                None
            }
            Err(StoreError::Fenced) => {
                // No warning: a session that was deleted here ends in the same way. Its driver knows which it is.
                tracing::debug!("the session no longer belongs to this host; its agent is aborted");
                self.batches.clear();
                Some(AgentEvent::Fenced)
            }
            Err(StoreError::Invalid(reason)) => {
                self.outage = None;
                let unfit = self.batches.halve(batch)?;
                self.batches.settled(&unfit);
                let uuid = unfit.entries.first().and_then(Entry::uuid).unwrap_or_default();
                tracing::warn!(reason, uuid = &*uuid, "left out a refused transcript entry");
                self.refused += 1;
                let message =
                    format!("An entry of the agent's memory could not be stored and is left out: {reason}.");
                (self.refused <= MAX_REPORTED).then(|| incomplete(&message))
            }
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "a transcript append failed");
                self.batches.put_back(batch);
                let outage = self.outage.get_or_insert_with(|| Outage::new(now));
                outage.again = now + outage.backoff.next_pause();
                None
            }
        }
    }

    fn outage_to_report(&mut self, now: Instant) -> Option<AgentEvent> {
        let outage =
            self.outage.as_mut().filter(|outage| !outage.reported && outage.since + TOLERATED <= now)?;
        outage.reported = true;
        tracing::warn!("the transcript store is not available; new entries are queued");
        Some(unavailable())
    }

    /// Ends the wait of a turn's end. A transcript store that neither stores nor fails in time counts as
    /// unavailable.
    fn give_up_hold(&mut self) -> Option<AgentEvent> {
        let outage = self.outage.get_or_insert_with(|| Outage::new(Instant::now()));
        if std::mem::replace(&mut outage.reported, true) {
            return None;
        }
        tracing::warn!("the transcript store does not answer; new entries are queued");
        Some(unavailable())
    }

    fn wake_at(&self) -> Option<Instant> {
        let outage = self.outage.as_ref();
        let batch = self.batches.due().filter(|_| self.writing.is_none());
        let batch = batch.map(|due| outage.map_or(due, |outage| outage.again.max(due)));
        let tell = outage.filter(|outage| !outage.reported).map(|outage| outage.since + TOLERATED);
        [batch, tell, self.hold.map(|hold| hold.until)].into_iter().flatten().min()
    }
}

impl fmt::Debug for Mirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mirror")
            .field("store", &self.store)
            .field("outage", &self.outage)
            .finish_non_exhaustive()
    }
}

fn unavailable() -> AgentEvent {
    AgentEvent::Error {
        code: "transcript_unavailable".to_owned(),
        message:
            "The transcript store is not available: the agent continues, and its memory is stored later."
                .to_owned(),
    }
}

/// Reports that a part of the agent's memory is not stored.
pub(crate) fn incomplete(message: &str) -> AgentEvent {
    AgentEvent::Error { code: "transcript_incomplete".to_owned(), message: message.to_owned() }
}

fn write(store: AnyTranscriptStore, batch: Batch) -> Writing {
    Box::pin(async move {
        let outcome = timeout(NO_ANSWER, store.append(&batch.key, &batch.entries)).await;
        let outcome = outcome.unwrap_or_else(|late| Err(StoreError::Unavailable(late.into())));
        (batch, outcome)
    })
}

async fn finished(writing: Option<&mut Writing>) -> (Batch, Result<(), StoreError>) {
    match writing {
        Some(writing) => writing.await,
        None => std::future::pending().await,
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
