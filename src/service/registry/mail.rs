//! The inboxes of the sessions that run on this host: messages that reached other hosts.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use tokio::time::{Duration, Instant, sleep, timeout};

use super::sessions::Sessions;
use crate::{
    error_text::with_sources,
    layers::resume::EventLog,
    metrics,
    service::{
        error::SessionError,
        handle::{Input, SessionHandle},
        session::{
            live::{Live, Mail, Taken},
            mailbox::SendError,
            place::Place,
            posted::{Answer, Outcome, Posted, PostedInput, own_key},
            receipt::{Receipt, receipt},
        },
    },
    storage::{
        catalog::{CatalogError, Lease},
        inbox::{AnyEntries, InboxEntry},
        persistence::Persistence,
    },
    sync::lock,
};

/// Pause before another try to write an outcome, and for how long it is tried: then nobody waits for it any more.
const PAUSE: Duration = Duration::from_millis(500);
const TRIED: Duration = Duration::from_secs(120);

/// The entries that are being handled.
#[derive(Clone, Debug, Default)]
struct Handled(Arc<Mutex<HashSet<String>>>);

/// An entry among them until dropped.
struct Handling {
    handled: Handled,
    entry_id: String,
}

impl Handled {
    /// `None` if the entry is being handled already.
    fn begin(&self, entry_id: &str) -> Option<Handling> {
        let entry_id = entry_id.to_owned();
        lock(&self.0).insert(entry_id.clone()).then(|| Handling { handled: self.clone(), entry_id })
    }
}

impl Drop for Handling {
    fn drop(&mut self) {
        lock(&self.handled.0).remove(&self.entry_id);
    }
}

impl<L: EventLog> Sessions<L> {
    /// Takes what comes to the inboxes of the sessions that run here.
    pub(super) async fn serve_inboxes(&self, persistence: &Persistence) {
        let Some(inbox) = persistence.inbox() else { return std::future::pending().await };
        let handled = Handled::default();
        loop {
            let hinted = timeout(inbox.wake().poll_every(), inbox.wake().mail()).await.ok();
            let leases = self.leases().held(hinted.as_ref());
            if !leases.is_empty()
                && let Err(error) = self.take_mail(inbox, &handled, &leases, hinted.is_some()).await
            {
                tracing::debug!(error = with_sources(&error), "failed to look into the inboxes");
            }
        }
    }

    async fn take_mail(
        &self,
        inbox: &AnyEntries,
        handled: &Handled,
        leases: &[Lease],
        is_hinted: bool,
    ) -> Result<(), CatalogError> {
        if !is_hinted && !inbox.is_waiting(leases).await? {
            return Ok(());
        }
        // In the order in which they were stored, which is that of each client's requests.
        for (entry, epoch) in inbox.take(leases).await? {
            let lease = Lease { session_id: entry.session_id.clone(), epoch };
            if let Some(handling) = handled.begin(&entry.id) {
                metrics::message_taken();
                self.handle_entry(inbox, entry, lease, handling);
            }
        }
        Ok(())
    }

    fn handle_entry(&self, inbox: &AnyEntries, entry: InboxEntry, lease: Lease, handling: Handling) {
        // A session that was taken again meanwhile is not the one whose lease this is.
        let live = self.in_memory(&entry.session_id).filter(|_| self.leases().is_held(&lease));
        let (sessions, inbox) = (self.clone(), inbox.clone());
        let posted = serde_json::from_slice(&entry.message);
        let handed = match (posted, live) {
            (_, None) => Err(None),
            (Err(_), Some(_)) => Err(Some(SessionError::invalid("the message cannot be read"))),
            (Ok(Posted::Close), Some(live)) => {
                tokio::spawn(async move {
                    let closed = sessions.remove(&entry.session_id, live.owner.as_deref()).await;
                    settle(&inbox, &entry, None, closed.map(|()| Answer::Done(None))).await;
                    drop(handling);
                });
                return;
            }
            (Ok(Posted::Look(look)), Some(live)) => {
                tokio::spawn(async move {
                    let handle = SessionHandle::new(Place::Here(live), sessions);
                    let found = handle.look(look).await.map(Answer::Found);
                    settle(&inbox, &entry, Some(&lease), found).await;
                    drop(handling);
                });
                return;
            }
            (Ok(Posted::Input(posted)), Some(live)) => self.hand(&live, posted, &entry.id),
        };
        let patience = self.limits().answer_timeout;
        // In a task of its own: an agent's answer takes its time.
        tokio::spawn(async move {
            let outcome = match handed {
                Ok(mut receipt) => match timeout(patience, receipt.outcome()).await {
                    Ok(taken) => sessions.judge(taken),
                    Err(_) if receipt.give_up() => {
                        Some(Err(SessionError::unavailable("the session did not answer in time")))
                    }
                    Err(_) => sessions.judge(receipt.outcome().await),
                },
                Err(refused) => refused.map(Err),
            };
            match outcome {
                Some(outcome) => settle(&inbox, &entry, Some(&lease), outcome).await,
                // The session has left this host, and whoever runs it next takes the entry.
                None => {
                    let _ = inbox.give_back(&entry.id, lease.epoch).await;
                }
            }
            drop(handling);
        });
    }

    /// Puts a message into the session's mailbox. `None` if the session has left this host.
    fn hand(
        &self,
        live: &Live<L>,
        PostedInput { body, verbatim, by_link, key }: PostedInput,
        entry_id: &str,
    ) -> Result<Receipt<Taken>, Option<SessionError>> {
        let handle = SessionHandle::new(Place::Here(Arc::clone(live)), self.clone());
        let body = body.get().to_owned().into_bytes().into();
        let input = Input::parse(body, key.map(Into::into)).map_err(Some)?;
        let input = if by_link { input.by_link() } else { input };
        let (message, key) = handle.permit(input, verbatim).map_err(Some)?.into_parts();
        let key = key.or_else(|| own_key(entry_id, &message));
        let (reply, receipt) = receipt();
        match live.mailbox.send(Mail::Input { input: message, key, exceeded: None, reply }) {
            Ok(()) => Ok(receipt),
            Err(SendError::Full) => Err(Some(SessionError::Backpressure)),
            Err(SendError::Closed) => Err(None),
        }
    }

    /// The outcome of a message; `None` if the session has left this host.
    fn judge(&self, taken: Option<Taken>) -> Option<Result<Answer, SessionError>> {
        match taken {
            Some(Ok(message_uuid)) => Some(Ok(Answer::Done(message_uuid))),
            Some(Err(not_taken)) if not_taken.is_released() => None,
            Some(Err(not_taken)) => Some(Err(not_taken.into())),
            None => None,
        }
    }
}

/// Writes the outcome, after what the message caused is in the event log. The other way round, a message whose host
/// dies in between would be answered and lost.
async fn settle(
    inbox: &AnyEntries,
    entry: &InboxEntry,
    lease: Option<&Lease>,
    outcome: Result<Answer, SessionError>,
) {
    let outcome = Outcome::from(outcome).encode();
    let since = Instant::now();
    while let Err(error) = inbox.settle(entry, lease, &outcome).await {
        tracing::debug!(error = with_sources(&error), "failed to write the outcome of a message");
        if since.elapsed() > TRIED {
            return;
        }
        sleep(PAUSE).await;
    }
}
