//! The courier: it puts messages about events into the outbox, and has what is due there sent.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{Instant, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    carrier::{AnyCarrier, Outcome},
    message::Message,
    rest::Rests,
};
use crate::{
    error_text::with_sources,
    layers::resume::Event,
    metrics,
    service::notices::{Noticed, Notices},
    storage::{
        catalog::CatalogError,
        outbox::{AnyRecords, Claimed},
    },
};

/// How often to look for messages that are due, also those of other hosts.
const POLL: Duration = Duration::from_secs(1);

/// How often to count the messages that wait.
const COUNT: Duration = Duration::from_secs(10);

/// Maximum number of messages that wait. Later events are not sent until there is room.
const WAITING: usize = 10_000;

/// Maximum number of attempts at the same time.
const AT_ONCE: usize = 32;

/// Time after which a message of a host that has died is sent by another one. Longer than an attempt takes.
const CLAIM: Duration = Duration::from_secs(20);

/// The pause after the first attempt. Each further one is twice as long, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// Maximum pause that a receiver can ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);

/// Pause of a message that this host cannot send: it does not have the endpoint, or cannot read the message. Another host
/// may.
const UNKNOWN: Duration = Duration::from_secs(30);

/// Sends the messages of a stack.
pub(super) struct Courier {
    shared: Arc<Shared>,
}

struct Shared {
    carriers: Vec<AnyCarrier>,
    records: AnyRecords,
    rests: Rests,
    has_more: Notify,
    is_full: AtomicBool,
    is_started: AtomicBool,
}

impl Courier {
    pub(super) fn new(carriers: Vec<AnyCarrier>, records: AnyRecords) -> Self {
        let shared = Shared {
            carriers,
            records,
            rests: Rests::default(),
            has_more: Notify::new(),
            is_full: AtomicBool::new(false),
            is_started: AtomicBool::new(false),
        };
        Self { shared: Arc::new(shared) }
    }
}

impl Notices for Courier {
    fn records(&self, of: &Noticed<'_>, events: &[Event]) -> Vec<Bytes> {
        let mut records = Vec::new();
        for carrier in &self.shared.carriers {
            let messages = events.iter().flat_map(|event| carrier.about(event, of));
            if self.shared.is_full.load(Ordering::Relaxed) {
                carrier.lost("queue_full", messages.count());
            } else {
                records.extend(messages.map(|message| message.encode()));
            }
        }
        records
    }

    fn stored(&self, records: Vec<Bytes>) {
        self.shared.records.add(records);
        self.shared.has_more.notify_one();
    }

    fn start(&self, tasks: &TaskTracker, ending: &CancellationToken) {
        if !self.shared.is_started.swap(true, Ordering::AcqRel) {
            tasks.spawn(run(Arc::clone(&self.shared), ending.clone()));
        }
    }
}

/// Sends what is due, until `ending`. Messages that are under way then are due again at once, for another host.
async fn run(shared: Arc<Shared>, ending: CancellationToken) {
    let mut attempts = JoinSet::new();
    let mut counted_at = None;
    loop {
        if counted_at.is_none_or(|at: Instant| at.elapsed() >= COUNT) {
            shared.count().await;
            counted_at = Some(Instant::now());
        }
        if let Err(error) = shared.send_due(&mut attempts, &ending).await {
            tracing::debug!(error = with_sources(&error), "failed to look for webhooks to send");
        }
        tokio::select! {
            () = ending.cancelled() => break,
            _ = timeout(POLL, shared.has_more.notified()) => {}
            // There is room for a further attempt.
            Some(_) = attempts.join_next(), if attempts.len() >= AT_ONCE => {}
        }
        while attempts.try_join_next().is_some() {}
    }
    while attempts.join_next().await.is_some() {}
}

impl Shared {
    async fn count(&self) {
        let Ok(waiting) = self.records.len().await else { return };
        let is_full = waiting >= WAITING;
        if is_full != self.is_full.swap(is_full, Ordering::Relaxed) {
            if is_full {
                tracing::warn!(waiting, "too many webhooks wait; events are not sent until there is room");
            } else {
                tracing::info!(waiting, "there is room for webhooks again");
            }
        }
    }

    async fn send_due(
        self: &Arc<Self>,
        attempts: &mut JoinSet<()>,
        ending: &CancellationToken,
    ) -> Result<(), CatalogError> {
        while attempts.len() < AT_ONCE && !ending.is_cancelled() && self.records.is_due().await? {
            let claimed = self.records.claim(AT_ONCE - attempts.len(), CLAIM).await?;
            if claimed.is_empty() {
                return Ok(());
            }
            for claimed in claimed {
                let (shared, ending) = (Arc::clone(self), ending.clone());
                attempts.spawn(async move {
                    if let Err(error) = shared.send(&claimed, &ending).await {
                        tracing::debug!(error = with_sources(&error), "a webhook stays claimed for a while");
                    }
                });
            }
        }
        Ok(())
    }

    /// Leaves a message that this host cannot send to one that can, as long as there may be one.
    async fn leave(&self, claimed: &Claimed) -> Result<(), CatalogError> {
        let looks = u32::try_from(claimed.attempts).unwrap_or(u32::MAX);
        let longest = self.carriers.iter().map(|carrier| carrier.retry_for()).max().unwrap_or_default();
        if UNKNOWN.saturating_mul(looks) < longest {
            return self.records.postpone(claimed, UNKNOWN, true).await;
        }
        metrics::webhooks_lost("given_up", 1);
        tracing::warn!("a webhook that this server cannot read or send is given up");
        self.records.done(claimed).await
    }

    /// Makes one attempt, and notes how it went.
    async fn send(&self, claimed: &Claimed, ending: &CancellationToken) -> Result<(), CatalogError> {
        let Some(message) = Message::decode(&claimed.record) else {
            return self.leave(claimed).await;
        };
        let (id, to, session) = (&*message.id, &*message.endpoint, &*message.session_id);
        let Some(carrier) = self.carriers.iter().find(|carrier| carrier.carries(to)) else {
            return self.leave(claimed).await;
        };
        let what = carrier.what();
        if message.age() >= carrier.retry_for() && claimed.attempts > 1 {
            carrier.lost("given_up", 1);
            let attempts = claimed.attempts - 1;
            tracing::warn!(id, to, session, attempts, "{what} is given up");
            return self.records.done(claimed).await;
        }
        let turn = match self.rests.enter(to).await {
            Ok(turn) => turn,
            Err(pause) => return self.records.postpone(claimed, pause, false).await,
        };
        let Some(outcome) = ending.run_until_cancelled(carrier.attempt(&message)).await else {
            return self.records.postpone(claimed, Duration::ZERO, true).await;
        };
        match outcome {
            Outcome::Delivered => {
                if turn.succeeded() {
                    tracing::info!(to, "{what} is received again");
                }
                self.records.done(claimed).await
            }
            Outcome::Divided(messages) => {
                let records = messages.iter().map(Message::encode).collect();
                self.records.divide(claimed, records).await?;
                self.has_more.notify_one();
                Ok(())
            }
            Outcome::Unknown => self.records.postpone(claimed, UNKNOWN, true).await,
            Outcome::Refused(reason) => {
                carrier.lost("given_up", 1);
                tracing::warn!(id, to, session, "{what} is given up: {reason}");
                self.records.done(claimed).await
            }
            Outcome::Failed { reason, retry_after } => {
                if turn.failed() {
                    tracing::warn!(id, to, reason, "{what} was not received; it is tried again");
                }
                let asked = retry_after.unwrap_or_default().min(LONGEST_ASKED);
                self.records.postpone(claimed, pause_after(claimed.attempts).max(asked), true).await
            }
        }
    }
}

fn pause_after(attempts: i64) -> Duration {
    let doubled = u32::try_from(attempts.saturating_sub(1)).unwrap_or(u32::MAX).min(16);
    (FIRST_PAUSE * 2_u32.pow(doubled)).min(LONGEST_PAUSE)
}

impl fmt::Debug for Courier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Courier").field("carriers", &self.shared.carriers.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let pauses: Vec<u64> = [1, 2, 3, 4, 10, 11, i64::MAX].map(|n| pause_after(n).as_secs()).into();
        assert_eq!(pauses, [1, 2, 4, 8, 512, 600, 600]);
    }
}
