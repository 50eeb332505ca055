//! The courier: it puts messages about events into the outbox, and sends what is due there.

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
    attempt::{Attempt, HttpClient, Outcome},
    link::Links,
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

/// Pause of a message whose endpoint this host does not have. Another host may have it.
const UNKNOWN: Duration = Duration::from_secs(30);

/// Sends the webhooks of a stack.
pub(super) struct Courier {
    shared: Arc<Shared>,
}

struct Shared {
    links: Links,
    records: AnyRecords,
    client: HttpClient,
    /// Age at which a message is given up.
    retry_for: Duration,
    rests: Rests,
    has_more: Notify,
    is_full: AtomicBool,
    is_started: AtomicBool,
}

impl Courier {
    pub(super) fn new(links: Links, records: AnyRecords, client: HttpClient, retry_for: Duration) -> Self {
        let shared = Shared {
            links,
            records,
            client,
            retry_for,
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
        let links = &self.shared.links;
        let about = |event| Message::about(event, of, &links.endpoints, links);
        let messages: Vec<Message> = events.iter().flat_map(about).collect();
        if !messages.is_empty() && self.shared.is_full.load(Ordering::Relaxed) {
            metrics::webhooks_lost("queue_full", messages.len());
            return Vec::new();
        }
        messages.iter().map(Message::encode).collect()
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

    /// Makes one attempt, and notes how it went.
    async fn send(&self, claimed: &Claimed, ending: &CancellationToken) -> Result<(), CatalogError> {
        let Some(message) = Message::decode(&claimed.record) else {
            return self.records.postpone(claimed, UNKNOWN, true).await;
        };
        let (id, to, session) = (&*message.id, &*message.endpoint, &*message.session_id);
        if message.age() >= self.retry_for && claimed.attempts > 1 {
            metrics::webhooks_lost("given_up", 1);
            let attempts = claimed.attempts - 1;
            tracing::warn!(webhook = id, to, session, attempts, "a webhook is given up");
            return self.records.done(claimed).await;
        }
        let Some(endpoint) = self.links.endpoints.get(to) else {
            return self.records.postpone(claimed, UNKNOWN, true).await;
        };
        let turn = match self.rests.enter(to).await {
            Ok(turn) => turn,
            Err(pause) => return self.records.postpone(claimed, pause, false).await,
        };
        let attempt = Attempt { id, endpoint: &endpoint, body: message.body.as_bytes() };
        let Some(outcome) = ending.run_until_cancelled(attempt.make(self.client.clone())).await else {
            return self.records.postpone(claimed, Duration::ZERO, true).await;
        };
        match outcome {
            Outcome::Delivered => {
                if turn.succeeded() {
                    tracing::info!(to, "webhooks are received again");
                }
                self.records.done(claimed).await
            }
            Outcome::Gone => {
                metrics::webhooks_lost("given_up", 1);
                tracing::warn!(webhook = id, to, session, "a webhook is given up: the receiver answered 410");
                self.records.done(claimed).await
            }
            Outcome::Failed(reason) => {
                if turn.failed() {
                    tracing::warn!(webhook = id, to, reason, "a webhook was not received; it is tried again");
                }
                self.records.postpone(claimed, pause_after(claimed.attempts), true).await
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
        f.debug_struct("Courier").field("links", &self.shared.links).finish_non_exhaustive()
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
