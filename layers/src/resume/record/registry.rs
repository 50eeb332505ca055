//! The recorded keys. The registry makes sure that each key has at most one call to the upstream at a time.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard},
};

use tokio::sync::watch;

use crate::{
    resume::{EventLog, EventStream},
    sync::lock,
};

pub(super) struct Registry<L: EventLog> {
    pub(super) log: L,
    slots: Mutex<Slots<L::Stream>>,
    /// Every recording task holds a receiver, so that a shutdown can wait for all of them.
    tasks: watch::Sender<()>,
}

struct Slots<St> {
    by_key: HashMap<String, Slot<St>>,
    recordings: u64,
    shut: bool,
    /// The streams of other processes that are watched.
    watched: HashSet<String>,
}

enum Slot<St> {
    /// A request holds the [`Lead`] of the key. Dropping the lead closes this channel.
    Led(watch::Receiver<()>),
    Recorded {
        recording: u64,
        stream: St,
        /// `true` stops the recording. Dropping it ends the task as well.
        stopped: watch::Sender<bool>,
    },
}

/// The next step of a request for a key.
pub(super) enum Claim<L: EventLog> {
    Read(L::Stream),
    Wait(watch::Receiver<()>),
    Lead(Lead<L>),
    /// There are too many streams.
    Full,
    Refused,
}

impl<L: EventLog> Registry<L> {
    pub(super) fn new(log: L) -> Self {
        let slots = Slots { by_key: HashMap::new(), recordings: 0, shut: false, watched: HashSet::new() };
        Self { log, slots: Mutex::new(slots), tasks: watch::Sender::new(()) }
    }

    pub(super) fn len(&self) -> usize {
        self.slots().by_key.len()
    }

    pub(super) fn recorded(&self, key: &str) -> Option<L::Stream> {
        match self.slots().by_key.get(key) {
            Some(Slot::Recorded { stream, .. }) => Some(stream.clone()),
            Some(Slot::Led(_)) | None => None,
        }
    }

    /// `most` is the maximum number of streams.
    pub(super) fn claim(self: &Arc<Self>, key: &str, most: usize) -> Claim<L> {
        let mut slots = self.slots();
        if slots.shut {
            return Claim::Refused;
        }
        match slots.by_key.get(key) {
            Some(Slot::Led(led)) => Claim::Wait(led.clone()),
            Some(Slot::Recorded { stream, .. }) => Claim::Read(stream.clone()),
            None if slots.by_key.len() >= most => Claim::Full,
            None => {
                let (lead, slot) = self.lead(key);
                slots.by_key.insert(key.to_owned(), slot);
                Claim::Lead(lead)
            }
        }
    }

    /// Stops the recording of a key, if there is one. What it has recorded stays.
    pub(super) fn stop(&self, key: &str) -> bool {
        match self.slots().by_key.get(key) {
            Some(Slot::Recorded { stopped, .. }) => {
                stopped.send_replace(true);
                true
            }
            Some(Slot::Led(_)) | None => false,
        }
    }

    /// Replaces the recording of a key, or only this one if `of` is given, by a lead. The recording stops if it is
    /// still running.
    fn retire(self: &Arc<Self>, key: &str, of: Option<u64>) -> Option<Lead<L>> {
        let mut slots = self.slots();
        let slot = slots.by_key.get_mut(key)?;
        match slot {
            Slot::Recorded { recording, .. } if of.is_none_or(|of| of == *recording) => {
                let (lead, led) = self.lead(key);
                let retired = std::mem::replace(slot, led);
                drop(slots);
                drop(retired);
                Some(lead)
            }
            Slot::Recorded { .. } | Slot::Led(_) => None,
        }
    }

    fn lead(self: &Arc<Self>, key: &str) -> (Lead<L>, Slot<L::Stream>) {
        let (done, led) = watch::channel(());
        (Lead { registry: Arc::clone(self), key: key.to_owned(), _done: done }, Slot::Led(led))
    }

    pub(super) async fn shutdown(&self) {
        let ended = {
            let mut slots = self.slots();
            slots.shut = true;
            std::mem::take(&mut slots.by_key)
        };
        drop(ended);
        self.tasks.closed().await;
    }

    pub(super) fn is_shut(&self) -> bool {
        self.slots().shut
    }

    /// The right to watch the stream of this key, if nobody has it.
    pub(super) fn watch(self: &Arc<Self>, key: &str) -> Option<Watch<L>> {
        let is_new = self.slots().watched.insert(key.to_owned());
        is_new.then(|| Watch { registry: Arc::clone(self), key: key.to_owned() })
    }

    fn slots(&self) -> MutexGuard<'_, Slots<L::Stream>> {
        lock(&self.slots)
    }
}

pub(super) async fn forget<L: EventLog>(registry: &Arc<Registry<L>>, key: &str) -> Result<(), L::Error> {
    let _lead = registry.retire(key, None);
    registry.log.forget(key).await
}

/// The exclusive right to watch a stream that another process records.
pub(super) struct Watch<L: EventLog> {
    pub(super) registry: Arc<Registry<L>>,
    pub(super) key: String,
}

impl<L: EventLog> Drop for Watch<L> {
    fn drop(&mut self) {
        self.registry.slots().watched.remove(&self.key);
    }
}

/// The exclusive right to start the recording of a key, or to forget it. If it is dropped without a recording, the
/// key is free, and waiting requests claim it again.
pub(super) struct Lead<L: EventLog> {
    registry: Arc<Registry<L>>,
    key: String,
    _done: watch::Sender<()>,
}

impl<L: EventLog> Lead<L> {
    /// Starts a recording into `stream`, from which all requests for the key read. `None` after a shutdown.
    pub(super) fn record(self, stream: L::Stream) -> Option<Recording<L>> {
        let mut slots = self.registry.slots();
        if slots.shut {
            return None;
        }
        slots.recordings += 1;
        let (stopped, stop) = watch::channel(false);
        let recording = slots.recordings;
        let slot = Slot::Recorded { recording, stream: stream.clone(), stopped };
        slots.by_key.insert(self.key.clone(), slot);
        drop(slots);
        Some(Recording {
            registry: Arc::clone(&self.registry),
            key: self.key.clone(),
            id: recording,
            stream,
            stop,
            _task: self.registry.tasks.subscribe(),
        })
    }
}

impl<L: EventLog> Drop for Lead<L> {
    fn drop(&mut self) {
        let mut slots = self.registry.slots();
        if matches!(slots.by_key.get(&self.key), Some(Slot::Led(_))) {
            slots.by_key.remove(&self.key);
        }
    }
}

/// The exclusive right to append to a key's stream. Dropping it, for any reason, closes the stream and frees the key.
pub(super) struct Recording<L: EventLog> {
    registry: Arc<Registry<L>>,
    key: String,
    id: u64,
    pub(super) stream: L::Stream,
    stop: watch::Receiver<bool>,
    _task: watch::Receiver<()>,
}

impl<L: EventLog> Recording<L> {
    /// Waits until this recording is to end.
    pub(super) async fn stopped(&mut self) {
        let _ = self.stop.wait_for(|stopped| *stopped).await;
    }

    /// Waits until its stream is forgotten by others, or the registry is shut down.
    pub(super) async fn forgotten(&mut self) {
        while self.stop.changed().await.is_ok() {}
    }

    /// Forgets the stream; requests for the key wait meanwhile. Does nothing if another recording has the key.
    pub(super) async fn forget(self) -> Result<(), L::Error> {
        match self.registry.retire(&self.key, Some(self.id)) {
            Some(_lead) => self.registry.log.forget(&self.key).await,
            None => Ok(()),
        }
    }
}

impl<L: EventLog> Drop for Recording<L> {
    fn drop(&mut self) {
        self.stream.close();
        drop(self.registry.retire(&self.key, Some(self.id)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resume::RingLog;

    async fn record(registry: &Arc<Registry<RingLog>>) -> Recording<RingLog> {
        let Claim::Lead(lead) = registry.claim("key", 9) else { panic!("the key is not free") };
        lead.record(registry.log.open("key").await.unwrap()).unwrap()
    }

    #[tokio::test]
    async fn a_late_end_of_an_old_recording_leaves_the_new_one_alone() {
        let registry = Arc::new(Registry::new(RingLog::default()));
        let old = record(&registry).await;
        forget(&registry, "key").await.unwrap();
        let new = record(&registry).await;
        old.forget().await.unwrap();
        assert!(!registry.recorded("key").unwrap().bounds().closed);
        drop(new);
        assert!(registry.recorded("key").is_none());
    }

    #[tokio::test]
    async fn requests_wait_while_a_recording_is_forgotten() {
        let registry = Arc::new(Registry::new(RingLog::default()));
        let recording = record(&registry).await;
        let lead = registry.retire("key", None).unwrap();
        let Claim::Wait(mut led) = registry.claim("key", 9) else { panic!("nobody leads") };
        assert!(!led.has_changed().unwrap());
        drop(recording);
        assert!(matches!(registry.claim("key", 9), Claim::Wait(_)));
        drop(lead);
        assert!(led.changed().await.is_err());
        assert!(matches!(registry.claim("key", 9), Claim::Lead(_)));
    }
}
