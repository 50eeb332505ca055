//! A transcript store in memory that fails on demand.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use agent_webkit::storage::transcripts::{
    Entry, MemoryTranscripts, SessionSummary, StoreError, StoreFuture, StoredSession, TranscriptKey,
    TranscriptStore,
};
use tokio::sync::watch;

/// The subpath of a session's other files.
const FILES: &str = "agent-webkit/files";

/// How the transcript store behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Well,
    Away,
    /// Calls never return.
    Stuck,
    Fenced,
    /// Entries that contain this text cannot be stored.
    Picky(&'static str),
}

/// The transcript store. Clones share their state.
#[derive(Clone, Debug)]
pub(crate) struct FaultyStore {
    mood: watch::Sender<Mood>,
    transcripts: Arc<MemoryTranscripts>,
    keys: Arc<Mutex<BTreeSet<TranscriptKey>>>,
    hostile: Arc<Mutex<Vec<String>>>,
    /// Number of calls.
    asked: watch::Sender<usize>,
}

impl FaultyStore {
    pub(crate) fn new() -> Self {
        Self {
            mood: watch::Sender::new(Mood::Well),
            transcripts: Arc::default(),
            keys: Arc::default(),
            hostile: Arc::default(),
            asked: watch::Sender::new(0),
        }
    }

    pub(crate) fn is(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    /// Waits for this many further calls.
    pub(crate) async fn asked(&self, times: usize) {
        let before = *self.asked.borrow();
        self.asked.subscribe().wait_for(|asked| *asked >= before + times).await.expect("it is there");
    }

    /// The keys of all transcripts, without the sessions' other files.
    pub(crate) fn keys(&self) -> Vec<TranscriptKey> {
        self.keys.lock().unwrap().iter().filter(|key| key.subpath != FILES).cloned().collect()
    }

    /// The entries of the session's other files, as text.
    pub(crate) async fn files(&self) -> Vec<String> {
        let Some(main) = self.keys().into_iter().next() else { return Vec::new() };
        self.lines(&main.with_subpath(FILES)).await
    }

    /// The entries of this transcript, as text.
    pub(crate) async fn lines(&self, key: &TranscriptKey) -> Vec<String> {
        let entries = self.transcripts.load(key).await.expect("it is in memory").unwrap_or_default();
        entries.iter().map(|entry| entry.json().get().to_owned()).collect()
    }

    /// Stores a transcript.
    pub(crate) async fn put(&self, key: &TranscriptKey, entries: &[Entry]) {
        self.append(key, entries).await.expect("it is well");
    }

    /// Makes the store list sub-agents with these names.
    pub(crate) fn claims(&self, subpaths: impl IntoIterator<Item = String>) {
        self.hostile.lock().unwrap().extend(subpaths);
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
            self.keys.lock().unwrap().insert(key.clone());
            self.transcripts.append(key, entries).await
        })
    }

    fn load<'a>(&'a self, key: &'a TranscriptKey) -> StoreFuture<'a, Option<Vec<Entry>>> {
        Box::pin(async move {
            self.answer().await?;
            let hostile = self.hostile.lock().unwrap().contains(&key.subpath);
            let key = if hostile { key.with_subpath("") } else { key.clone() };
            self.transcripts.load(&key).await
        })
    }

    fn list_sessions<'a>(&'a self, project_key: &'a str) -> StoreFuture<'a, Vec<StoredSession>> {
        self.transcripts.list_sessions(project_key)
    }

    fn list_session_summaries<'a>(&'a self, project_key: &'a str) -> StoreFuture<'a, Vec<SessionSummary>> {
        self.transcripts.list_session_summaries(project_key)
    }

    fn delete<'a>(&'a self, key: &'a TranscriptKey) -> StoreFuture<'a, ()> {
        self.transcripts.delete(key)
    }

    /// Returns the real sub-keys and those set by `claims`.
    fn list_subkeys<'a>(&'a self, key: &'a TranscriptKey) -> StoreFuture<'a, Vec<String>> {
        Box::pin(async move {
            self.answer().await?;
            let mut subpaths = self.transcripts.list_subkeys(key).await?;
            subpaths.extend(self.hostile.lock().unwrap().iter().cloned());
            Ok(subpaths)
        })
    }

    fn find<'a>(&'a self, session_id: &'a str) -> StoreFuture<'a, Vec<String>> {
        Box::pin(async move {
            self.answer().await?;
            self.transcripts.find(session_id).await
        })
    }
}
