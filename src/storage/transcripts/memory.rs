//! A transcript store in memory.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Mutex, MutexGuard},
};

use super::{Entry, SessionSummary, StoreFuture, StoredSession, TranscriptKey, TranscriptStore, summary};
use crate::unix_ms;

/// A transcript store in memory, for tests and for servers whose sessions need not outlive the process.
#[derive(Debug, Default)]
pub struct MemoryTranscripts {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    transcripts: HashMap<TranscriptKey, Transcript>,
    /// By project and session.
    summaries: BTreeMap<(String, String), SessionSummary>,
}

#[derive(Debug, Default)]
struct Transcript {
    entries: Vec<Entry>,
    uuids: HashSet<String>,
    mtime_ms: i64,
}

impl MemoryTranscripts {
    /// Creates an empty transcript store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it is held")
    }
}

impl TranscriptStore for MemoryTranscripts {
    fn append<'a>(&'a self, key: &'a TranscriptKey, entries: &'a [Entry]) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            key.check()?;
            self.state().append(key, entries);
            Ok(())
        })
    }

    fn load<'a>(&'a self, key: &'a TranscriptKey) -> StoreFuture<'a, Option<Vec<Entry>>> {
        Box::pin(
            async move { Ok(self.state().transcripts.get(key).map(|transcript| transcript.entries.clone())) },
        )
    }

    fn list_sessions<'a>(&'a self, project_key: &'a str) -> StoreFuture<'a, Vec<StoredSession>> {
        Box::pin(async move {
            let state = self.state();
            let of_project =
                state.transcripts.iter().filter(|(key, _)| key.is_main() && key.project_key == project_key);
            Ok(of_project
                .map(|(key, transcript)| StoredSession {
                    session_id: key.session_id.clone(),
                    mtime_ms: transcript.mtime_ms,
                })
                .collect())
        })
    }

    fn list_session_summaries<'a>(&'a self, project_key: &'a str) -> StoreFuture<'a, Vec<SessionSummary>> {
        Box::pin(async move {
            let state = self.state();
            let of_project = state.summaries.iter().filter(|((project, _), _)| project == project_key);
            Ok(of_project.map(|(_, summary)| summary.clone()).collect())
        })
    }

    fn delete<'a>(&'a self, key: &'a TranscriptKey) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            let mut state = self.state();
            if key.is_main() {
                state.transcripts.retain(|other, _| !other.is_of(key));
                state.summaries.remove(&(key.project_key.clone(), key.session_id.clone()));
            } else {
                state.transcripts.remove(key);
            }
            Ok(())
        })
    }

    fn list_subkeys<'a>(&'a self, key: &'a TranscriptKey) -> StoreFuture<'a, Vec<String>> {
        Box::pin(async move {
            let state = self.state();
            let below = state.transcripts.keys().filter(|other| other.is_of(key) && !other.is_main());
            Ok(below.map(|other| other.subpath.clone()).collect())
        })
    }

    fn find<'a>(&'a self, session_id: &'a str) -> StoreFuture<'a, Vec<String>> {
        Box::pin(async move {
            let state = self.state();
            let found = state.transcripts.keys().filter(|key| key.is_main() && key.session_id == session_id);
            Ok(found.map(|key| key.project_key.clone()).collect())
        })
    }
}

impl State {
    fn append(&mut self, key: &TranscriptKey, entries: &[Entry]) {
        let known = self.transcripts.get(key).map(|transcript| &transcript.uuids);
        let mut uuids = HashSet::new();
        let new: Vec<&Entry> = entries
            .iter()
            .filter(|entry| {
                entry.uuid().is_none_or(|uuid| {
                    known.is_none_or(|known| !known.contains(&*uuid)) && uuids.insert(uuid.into_owned())
                })
            })
            .collect();
        if new.is_empty() {
            return;
        }
        let transcript = self.transcripts.entry(key.clone()).or_default();
        transcript.mtime_ms = transcript.mtime_ms.max(unix_ms::now_signed());
        if key.is_main() {
            let summary = self
                .summaries
                .entry((key.project_key.clone(), key.session_id.clone()))
                .or_insert_with(|| SessionSummary {
                    session_id: key.session_id.clone(),
                    mtime_ms: 0,
                    data: serde_json::Map::new(),
                });
            summary::fold(&mut summary.data, new.iter().copied());
            summary.mtime_ms = transcript.mtime_ms;
        }
        transcript.entries.extend(new.into_iter().cloned());
        transcript.uuids.extend(uuids);
    }
}
