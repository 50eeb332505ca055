//! Messages for a session that another host runs.

use serde_json::value::RawValue;
use tokio::time::{Duration, Instant, sleep, sleep_until, timeout_at};
use uuid::Uuid;

use super::{Input, Wait, input::Delivered};
use crate::{
    layers::resume::EventLog,
    metrics,
    proto::Look,
    service::{
        error::SessionError,
        registry::sessions::Sessions,
        session::{
            place::Place,
            posted::{Answer, Outcome, Posted, PostedInput},
        },
    },
    storage::{
        inbox::{AnyEntries, InboxEntry},
        wake::{Hint, Subscription},
    },
};

/// Maximum time that a session's host has to end a session that is deleted on another one.
const CLOSE: Duration = Duration::from_secs(5);

/// How often to try to withdraw an entry while the database does not answer.
const TRIES: usize = 5;
const PAUSE: Duration = Duration::from_millis(500);

/// An entry in an inbox whose outcome is awaited. Dropped, it is withdrawn unless it was taken.
struct Letter {
    inbox: AnyEntries,
    entry: InboxEntry,
    answered: Subscription,
    /// The session has left its host.
    freed: Subscription,
    is_over: bool,
}

impl<L: EventLog> Sessions<L> {
    /// Delivers an input through the session's inbox and waits for the answer of whichever host takes it.
    pub(super) async fn deliver_elsewhere(
        &self,
        place: &Place<L>,
        input: &Input,
        wait: &Wait,
    ) -> Result<Delivered, SessionError> {
        let body: Box<RawValue> = serde_json::from_slice(input.body())
            .map_err(|_| SessionError::invalid("the body is not JSON"))?;
        let (verbatim, by_link) = (input.is_verbatim(), input.is_by_link());
        let posted = PostedInput { body, verbatim, by_link, key: input.key().map(Into::into) };
        match self.answer_elsewhere(place, &Posted::Input(posted), wait.until()).await? {
            Answer::Done(message_uuid) => Ok(Delivered::Done(message_uuid)),
            Answer::Found(_) => Err(SessionError::unavailable("the session's host answered something else")),
        }
    }

    /// Looks at the session's agent through whichever host runs it.
    pub(super) async fn look_elsewhere(
        &self,
        place: &Place<L>,
        look: Look,
    ) -> Result<Box<RawValue>, SessionError> {
        let until = Instant::now() + self.limits().answer_timeout;
        match self.answer_elsewhere(place, &Posted::Look(look), until).await? {
            Answer::Found(found) => Ok(found),
            Answer::Done(_) => Err(SessionError::unavailable("the session's host answered something else")),
        }
    }

    async fn answer_elsewhere(
        &self,
        place: &Place<L>,
        posted: &Posted,
        until: Instant,
    ) -> Result<Answer, SessionError> {
        let mut letter = self.post(place.id(), posted, until).await?;
        let given_up = tokio::select! {
            outcome = self.outcome(place, &letter) => {
                letter.forget().await;
                return outcome;
            }
            () = sleep_until(until) => "the session did not answer in time",
            () = self.ending().cancelled() => "the server is shutting down",
        };
        // What is answered here as not taken must not take effect later. What was taken gets its answer.
        if letter.withdraw().await {
            return Err(SessionError::unavailable(given_up));
        }
        let outcome = self.outcome(place, &letter).await;
        letter.forget().await;
        outcome
    }

    /// Asks the session's host to end and delete it. Returns whether it did.
    pub(crate) async fn close_elsewhere(&self, id: &str) -> Result<bool, SessionError> {
        if self.persistence().is_none_or(|persistence| persistence.inbox().is_none()) {
            return Ok(false);
        }
        let until = Instant::now() + CLOSE;
        let mut letter = self.post(id, &Posted::Close, until).await?;
        let closed = async {
            while letter.inbox.outcome(&letter.entry.id).await?.is_none() {
                letter.answered.woken().await;
            }
            Ok::<_, SessionError>(())
        };
        let closed = matches!(timeout_at(until, closed).await, Ok(Ok(())));
        match closed {
            true => letter.forget().await,
            false => drop(letter.withdraw().await),
        }
        Ok(closed)
    }

    async fn post(&self, id: &str, posted: &Posted, until: Instant) -> Result<Letter, SessionError> {
        let inbox = self.persistence().and_then(|persistence| persistence.inbox().cloned());
        let inbox = inbox.ok_or_else(|| SessionError::taken_over("the session is served by another host"))?;
        let entry = InboxEntry {
            id: Uuid::new_v4().to_string(),
            session_id: id.to_owned(),
            message: serde_json::to_vec(posted).expect("made of strings"),
        };
        // Before the entry is stored: a messenger must know that this host waits for the answer.
        let answered = inbox.wake().subscribe(Hint::Answered(entry.id.clone()));
        let freed = inbox.wake().subscribe(Hint::Freed(entry.session_id.clone()));
        let letter = Letter { inbox, entry, answered, freed, is_over: false };
        letter.inbox.post(&letter.entry, until.saturating_duration_since(Instant::now())).await?;
        metrics::message_sent();
        Ok(letter)
    }

    /// Waits for the outcome. If the session's host is gone meanwhile, this host takes the session, and with it the
    /// entry.
    async fn outcome(&self, place: &Place<L>, letter: &Letter) -> Result<Answer, SessionError> {
        let Letter { inbox, entry, answered, freed, .. } = letter;
        let mut looked_at = Instant::now();
        loop {
            // The database may be away for a moment.
            if let Ok(Some(outcome)) = inbox.outcome(&entry.id).await {
                return Outcome::decode(&outcome);
            }
            let is_freed = tokio::select! {
                () = answered.woken() => false,
                () = freed.hinted() => true,
            };
            let is_due = looked_at.elapsed() >= inbox.wake().poll_every();
            if is_freed || is_due {
                if let Ok(None) = self.find_place(place.id(), place.owner()).await {
                    return Err(SessionError::NotFound);
                }
                let mail = Hint::Mail(entry.session_id.clone());
                if is_due {
                    // The hint may have been lost.
                    looked_at = Instant::now();
                    inbox.wake().send(mail);
                } else {
                    // This host may run the session by now. Not said to others: a messenger without a listener would
                    // answer again that the session has left its host.
                    inbox.wake().send_here(&mail);
                }
            }
        }
    }
}

impl Letter {
    /// Withdraws the entry; `false` if it was taken, or if that cannot be found out.
    async fn withdraw(&mut self) -> bool {
        for _ in 0..TRIES {
            if let Ok(withdrawn) = self.inbox.withdraw(&self.entry.id).await {
                self.is_over = withdrawn;
                return withdrawn;
            }
            sleep(PAUSE).await;
        }
        false
    }

    /// Deletes the entry, whose outcome was read.
    async fn forget(&mut self) {
        // If this fails, a sweep deletes it.
        let _ = self.inbox.forget(&self.entry.id).await;
        self.is_over = true;
    }
}

impl Drop for Letter {
    fn drop(&mut self) {
        if !self.is_over
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let (inbox, id) = (self.inbox.clone(), std::mem::take(&mut self.entry.id));
            // If this fails, the entry expires.
            runtime.spawn(async move { inbox.withdraw(&id).await });
        }
    }
}
