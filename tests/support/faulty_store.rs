//! A transcript store in memory that fails on demand.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use agent_webkit::store::{
    Entry, SessionSummary, StoreError, StoreFuture, StoredSession, TranscriptKey, TranscriptStore,
};
use tokio::sync::watch;

/// What it does when it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Well,
    Away,
    /// It never answers.
    Stuck,
    Fenced,
    /// Entries that contain this cannot be stored.
    Picky(&'static str),
}

/// The store. Clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct FaultyStore {
    mood: watch::Sender<Mood>,
    transcripts: Arc<Mutex<BTreeMap<TranscriptKey, Vec<Entry>>>>,
    /// So many questions it was asked.
    asked: watch::Sender<usize>,
}

impl FaultyStore {
    pub(crate) fn new() -> Self {
        Self {
            mood: watch::Sender::new(Mood::Well),
            transcripts: Arc::default(),
            asked: watch::Sender::new(0),
        }
    }

    pub(crate) fn is(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    /// Waits until it was asked so many more questions.
    pub(crate) async fn asked(&self, times: usize) {
        let before = *self.asked.borrow();
        self.asked.subscribe().wait_for(|asked| *asked >= before + times).await.expect("it is there");
    }

    /// All that it holds.
    pub(crate) fn keys(&self) -> Vec<TranscriptKey> {
        self.transcripts.lock().unwrap().keys().cloned().collect()
    }

    /// The entries of that transcript, as text.
    pub(crate) fn lines(&self, key: &TranscriptKey) -> Vec<String> {
        let transcripts = self.transcripts.lock().unwrap();
        let entries = transcripts.get(key).map_or(&[][..], |entries| entries);
        entries.iter().map(|entry| entry.json().get().to_owned()).collect()
    }

    /// Puts a transcript there.
    pub(crate) fn put(&self, key: TranscriptKey, entries: Vec<Entry>) {
        self.transcripts.lock().unwrap().insert(key, entries);
    }

    async fn answer(&self) -> Result<Option<&'static str>, StoreError> {
        self.asked.send_modify(|asked| *asked += 1);
        let mood = self.mood.borrow().clone();
        match mood {
            Mood::Well => Ok(None),
            Mood::Picky(word) => Ok(Some(word)),
            Mood::Away => Err(StoreError::Unavailable("it is away".into())),
            Mood::Fenced => Err(StoreError::Fenced),
            Mood::Stuck => {
                let mut mood = self.mood.subscribe();
                mood.wait_for(|mood| *mood != Mood::Stuck).await.expect("it is there");
                Ok(None)
            }
        }
    }
}

impl TranscriptStore for FaultyStore {
    fn append<'a>(&'a self, key: &'a TranscriptKey, entries: &'a [Entry]) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let unfit = self.answer().await?;
            if entries.iter().any(|entry| unfit.is_some_and(|word| entry.json().get().contains(word))) {
                return Err(StoreError::Invalid("it is unfit".to_owned()));
            }
            let mut transcripts = self.transcripts.lock().unwrap();
            let transcript = transcripts.entry(key.clone()).or_default();
            for entry in entries {
                let known = |other: &Entry| other.uuid() == entry.uuid();
                if entry.uuid().is_none() || !transcript.iter().any(known) {
                    transcript.push(entry.clone());
                }
            }
            Ok(())
        })
    }

    fn load<'a>(&'a self, key: &'a TranscriptKey) -> StoreFuture<'a, Option<Vec<Entry>>> {
        Box::pin(async move {
            self.answer().await?;
            Ok(self.transcripts.lock().unwrap().get(key).cloned())
        })
    }

    fn list_sessions<'a>(&'a self, project_key: &'a str) -> StoreFuture<'a, Vec<StoredSession>> {
        Box::pin(async move {
            self.answer().await?;
            let transcripts = self.transcripts.lock().unwrap();
            let main = transcripts.keys().filter(|key| key.is_main() && key.project_key == project_key);
            Ok(main.map(|key| StoredSession { session_id: key.session_id.clone(), mtime_ms: 0 }).collect())
        })
    }

    fn list_session_summaries<'a>(&'a self, _: &'a str) -> StoreFuture<'a, Vec<SessionSummary>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn delete<'a>(&'a self, key: &'a TranscriptKey) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            self.transcripts.lock().unwrap().remove(key);
            Ok(())
        })
    }

    fn list_subkeys<'a>(&'a self, key: &'a TranscriptKey) -> StoreFuture<'a, Vec<String>> {
        Box::pin(async move {
            self.answer().await?;
            let transcripts = self.transcripts.lock().unwrap();
            let below = transcripts.keys().filter(|other| {
                (&other.project_key, &other.session_id) == (&key.project_key, &key.session_id)
            });
            Ok(below.filter(|key| !key.is_main()).map(|key| key.subpath.clone()).collect())
        })
    }

    fn find<'a>(&'a self, session_id: &'a str) -> StoreFuture<'a, Vec<String>> {
        Box::pin(async move {
            self.answer().await?;
            let transcripts = self.transcripts.lock().unwrap();
            let main = transcripts.keys().filter(|key| key.is_main() && key.session_id == session_id);
            Ok(main.map(|key| key.project_key.clone()).collect())
        })
    }
}
