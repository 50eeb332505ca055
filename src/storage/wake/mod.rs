//! Hints between the hosts of one database: "this stream has grown", "this inbox has a further entry".
//!
//! Nothing depends on a hint. Whoever waits for one also looks at the database from time to time
//! ([`Wake::poll_every`]), so a lost hint costs time and never an event.

#[cfg(feature = "nats")]
mod bus;
mod hints;
#[cfg(feature = "postgres")]
mod messenger;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "postgres")]
mod presence;

use std::{
    collections::{BTreeSet, HashMap, HashSet, hash_map::Entry},
    fmt,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

#[cfg(feature = "nats")]
pub use self::bus::{Bus, InvalidBus};
pub(crate) use self::hints::Hint;
#[cfg(feature = "postgres")]
pub(in crate::storage) use self::messenger::Speaker;
#[cfg(feature = "nats")]
pub(in crate::storage) use self::nats::Nats;
#[cfg(feature = "postgres")]
pub(in crate::storage) use self::{postgres::Notifications, presence::Presence};
use crate::sync::lock;

/// How often to look at the database while no hint comes.
const POLL: Duration = Duration::from_secs(1);

/// A host that follows a stream says so at each poll. After this time without a word it does not follow any more.
const FOLLOWED: Duration = Duration::from_secs(4);

/// Number of followed streams from which on the table is searched for those that are not followed any more.
const MANY: usize = 1000;

/// Maximum number of hints that wait to be sent.
const WAITING: usize = 10_000;

/// The hints that this host sends and receives. Clones share them.
#[derive(Clone)]
pub(crate) struct Wake {
    shared: Arc<Shared>,
}

struct Shared {
    /// This host, for the others.
    host: String,
    /// Whether hints reach other hosts.
    has_messenger: bool,
    subscribers: Mutex<HashMap<Hint, Vec<Arc<Notify>>>>,
    mail: Mutex<HashSet<String>>,
    has_mail: Notify,
    /// The streams that hosts follow, this one too: who, and when they last said so.
    followed: Mutex<HashMap<String, HashMap<String, Instant>>>,
    outgoing: Mutex<Outgoing>,
    is_outgoing: Notify,
}

/// What a messenger has to do.
#[derive(Debug, Default)]
struct Outgoing {
    /// Hints that this host waits for from now on, or not any more. Before [`Outgoing::hints`]: who asks hears the answer.
    changed: HashMap<Hint, bool>,
    /// Hints for the other hosts.
    hints: BTreeSet<Hint>,
}

/// Waits for one hint until dropped.
pub(crate) struct Subscription {
    wake: Wake,
    hint: Hint,
    notify: Arc<Notify>,
}

impl Wake {
    /// A host's hints; without a messenger they stay on this host.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn new(host: impl Into<String>, has_messenger: bool) -> Self {
        let shared = Shared {
            host: host.into(),
            has_messenger,
            subscribers: Mutex::default(),
            mail: Mutex::default(),
            has_mail: Notify::new(),
            followed: Mutex::default(),
            outgoing: Mutex::default(),
            is_outgoing: Notify::new(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// This host, for the others.
    #[cfg(feature = "postgres")]
    fn host(&self) -> &str {
        &self.shared.host
    }

    /// How often whoever waits for a hint should look at the database.
    pub(crate) const fn poll_every(&self) -> Duration {
        POLL
    }

    /// Passes a hint to those who wait for it, here and on the other hosts.
    pub(crate) fn send(&self, hint: Hint) {
        self.send_here(&hint);
        self.post(hint);
    }

    /// Passes a hint to those who wait for it on this host.
    pub(crate) fn send_here(&self, hint: &Hint) {
        self.deliver(&self.shared.host, hint);
    }

    /// Passes on that a stream has grown, to other hosts only if one of them follows it.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn grew(&self, key: &str) {
        let hint = Hint::Grew(key.to_owned());
        self.send_here(&hint);
        if self.is_followed(key) {
            self.post(hint);
        }
    }

    /// Whether a host follows the stream of this key, as far as this one knows.
    pub(crate) fn is_followed(&self, key: &str) -> bool {
        let mut followed = lock(&self.shared.followed);
        let Some(hosts) = followed.get_mut(key) else { return false };
        hosts.retain(|_, said_at| said_at.elapsed() < FOLLOWED);
        if hosts.is_empty() {
            followed.remove(key);
            return false;
        }
        true
    }

    /// Waits for a hint from now on.
    pub(crate) fn subscribe(&self, hint: Hint) -> Subscription {
        let notify = Arc::new(Notify::new());
        let mut subscribers = self.subscribers();
        let waiting = subscribers.entry(hint.clone()).or_default();
        waiting.push(Arc::clone(&notify));
        if waiting.len() == 1 {
            self.changes(&hint, true);
        }
        drop(subscribers);
        Subscription { wake: self.clone(), hint, notify }
    }

    /// The sessions whose inboxes have further entries, as the hints since the last call say. For one caller.
    pub(crate) async fn mail(&self) -> HashSet<String> {
        loop {
            let mail = std::mem::take(&mut *lock(&self.shared.mail));
            if !mail.is_empty() {
                return mail;
            }
            self.shared.has_mail.notified().await;
        }
    }

    /// Passes a hint of the host `from` to those who wait for it on this host.
    fn deliver(&self, from: &str, hint: &Hint) {
        match hint {
            Hint::Mail(session) => {
                lock(&self.shared.mail).insert(session.clone());
                self.shared.has_mail.notify_one();
            }
            Hint::Follows(key) => {
                let mut followed = lock(&self.shared.followed);
                // Every host hears of every stream that is followed, also of those that it never writes.
                if followed.len() >= MANY {
                    followed.retain(|_, hosts| hosts.values().any(|said_at| said_at.elapsed() < FOLLOWED));
                }
                followed.entry(key.clone()).or_default().insert(from.to_owned(), Instant::now());
            }
            Hint::Left(key) => {
                if let Some(hosts) = lock(&self.shared.followed).get_mut(key) {
                    hosts.remove(from);
                }
            }
            _ => {
                if let Some(subscribers) = self.subscribers().get(hint) {
                    subscribers.iter().for_each(|subscriber| subscriber.notify_one());
                }
            }
        }
    }

    fn post(&self, hint: Hint) {
        if !self.shared.has_messenger {
            return;
        }
        let mut outgoing = lock(&self.shared.outgoing);
        if outgoing.hints.len() < WAITING {
            outgoing.hints.insert(hint);
            self.shared.is_outgoing.notify_one();
        }
    }

    /// Notes that this host waits for a hint, or does not any more. Call it while the subscribers are locked.
    fn changes(&self, hint: &Hint, waits: bool) {
        if !self.shared.has_messenger {
            return;
        }
        match lock(&self.shared.outgoing).changed.entry(hint.clone()) {
            // The messenger has not heard of the other change: both are void.
            Entry::Occupied(entry) => drop(entry.remove()),
            Entry::Vacant(entry) => drop(entry.insert(waits)),
        }
        self.shared.is_outgoing.notify_one();
    }

    /// What the messenger has to do next. For one caller.
    #[cfg(feature = "postgres")]
    async fn outgoing(&self) -> Outgoing {
        loop {
            let outgoing = std::mem::take(&mut *lock(&self.shared.outgoing));
            if !outgoing.changed.is_empty() || !outgoing.hints.is_empty() {
                return outgoing;
            }
            self.shared.is_outgoing.notified().await;
        }
    }

    /// Reads a message of another host. What cannot be read is from a newer version.
    #[cfg(feature = "postgres")]
    fn receive(&self, message: &[u8]) {
        let Ok(hints::Message { from, hints }) = serde_json::from_slice(message) else { return };
        if from != self.shared.host {
            crate::metrics::hints("heard", hints.len());
            hints.iter().for_each(|hint| self.deliver(&from, hint));
        }
    }

    fn subscribers(&self) -> MutexGuard<'_, HashMap<Hint, Vec<Arc<Notify>>>> {
        lock(&self.shared.subscribers)
    }
}

impl Subscription {
    /// Waits until the hint has come since the last call. Cancel safe.
    pub(crate) async fn hinted(&self) {
        self.notify.notified().await;
    }

    /// Waits until the hint has come since the last call, or it is time to look at the database. Cancel safe.
    pub(crate) async fn woken(&self) {
        let _ = tokio::time::timeout(self.wake.poll_every(), self.notify.notified()).await;
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut subscribers = self.wake.subscribers();
        if let Some(waiting) = subscribers.get_mut(&self.hint) {
            waiting.retain(|notify| !Arc::ptr_eq(notify, &self.notify));
            if waiting.is_empty() {
                subscribers.remove(&self.hint);
                self.wake.changes(&self.hint, false);
            }
        }
    }
}

impl fmt::Debug for Wake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wake").field("host", &self.shared.host).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Passes what `from` has to say to `to`.
    async fn pass(from: &Wake, to: &Wake) {
        let Outgoing { hints, .. } = from.outgoing().await;
        hints.iter().for_each(|hint| to.deliver(&from.shared.host, hint));
    }

    #[tokio::test]
    async fn growth_is_told_to_hosts_that_follow_until_they_leave() {
        let [owner, other] = ["a", "b"].map(|host| Wake::new(host, true));
        owner.grew("s");
        assert!(lock(&owner.shared.outgoing).hints.is_empty(), "nobody follows it");
        let grew = other.subscribe(Hint::Grew("s".into()));
        other.send(Hint::Follows("s".into()));
        pass(&other, &owner).await;
        owner.grew("s");
        pass(&owner, &other).await;
        grew.notify.notified().await;
        other.send(Hint::Left("s".into()));
        pass(&other, &owner).await;
        assert!(!owner.is_followed("s"));
    }

    #[tokio::test]
    async fn a_subscriber_that_is_gone_leaves_nothing() {
        let wake = Wake::new("a", false);
        drop(wake.subscribe(Hint::Freed("s".into())));
        assert!(wake.subscribers().is_empty());
        wake.send(Hint::Mail("s".into()));
        assert_eq!(wake.mail().await, HashSet::from(["s".to_owned()]));
        assert!(lock(&wake.shared.outgoing).hints.is_empty());
    }

    #[tokio::test]
    async fn the_messenger_learns_what_is_waited_for_once() {
        let wake = Wake::new("a", true);
        let hint = Hint::Mail("s".into());
        let taken = async || wake.outgoing().await.changed.into_iter().collect::<Vec<_>>();
        let (one, other) = (wake.subscribe(hint.clone()), wake.subscribe(hint.clone()));
        assert_eq!(taken().await, [(hint.clone(), true)]);
        drop(one);
        drop((other, wake.subscribe(Hint::Freed("s".into()))));
        assert_eq!(taken().await, [(hint.clone(), false)], "what came and went meanwhile is left out");
        let again = wake.subscribe(hint.clone());
        assert_eq!(taken().await, [(hint.clone(), true)]);
        drop(again);
        let _again = wake.subscribe(hint);
        assert!(lock(&wake.shared.outgoing).changed.is_empty());
    }
}
