//! An empty transcript store of each kind, with helpers to write and read.

use std::sync::Arc;

use agent_webkit::storage::{
    database::Database,
    transcripts::{
        AnyTranscriptStore, Entry, FencedAppend, MemoryTranscripts, PgTranscripts, SqliteTranscripts,
        StoreError, TranscriptKey,
    },
};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

use crate::postgres::TestDatabase;

/// Makes a test for each kind of transcript store from functions that take a [`Rig`].
macro_rules! on_every_store {
    ($($name:ident),* $(,)?) => {
        on_every_store!(@ memory, $($name)*);
        on_both!($($name),*);
    };
    (@ $kind:ident, $($name:ident)*) => {
        mod $kind {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(&crate::rig::Rig::$kind().await).await;
                }
            )*
        }
    };
}

/// The same without memory, for what only databases do.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        on_every_store!(@ sqlite, $($name)*);
        on_every_store!(@ postgres, $($name)*);
    };
}

#[derive(Debug)]
pub(crate) struct Rig {
    pub(crate) store: AnyTranscriptStore,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Memory,
    Sqlite(SqliteTranscripts, TempDir),
    Postgres(PgTranscripts, TestDatabase),
}

impl Rig {
    pub(crate) async fn memory() -> Self {
        Self { store: Arc::new(MemoryTranscripts::new()), place: Place::Memory }
    }

    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let Ok(Database::Sqlite(file)) = Database::sqlite(folder.path().join("sessions.db")).await else {
            panic!("a new file can be opened");
        };
        let store = SqliteTranscripts::new(file);
        Self { store: Arc::new(store.clone()), place: Place::Sqlite(store, folder) }
    }

    pub(crate) async fn postgres() -> Self {
        let database = TestDatabase::new().await;
        let store = PgTranscripts::connect(database.url(), 0, 8).await.unwrap();
        Self { store: Arc::new(store.clone()), place: Place::Postgres(store, database) }
    }

    /// The fenced append, which only databases have.
    pub(crate) fn fenced(&self) -> Option<Arc<dyn FencedAppend>> {
        match &self.place {
            Place::Memory => None,
            Place::Sqlite(store, _) => Some(Arc::new(store.clone())),
            Place::Postgres(store, _) => Some(Arc::new(store.clone())),
        }
    }

    /// The URL of the Postgres database.
    pub(crate) fn url(&self) -> &str {
        let Place::Postgres(_, database) = &self.place else { panic!("it is not on a server") };
        database.url()
    }

    /// Executes a statement past the transcript store, as another host would.
    pub(crate) async fn execute(&self, statement: &str) {
        let statement = AssertSqlSafe(statement.to_owned());
        match &self.place {
            Place::Memory => panic!("there is no database"),
            Place::Sqlite(_, folder) => {
                let options = SqliteConnectOptions::new().filename(folder.path().join("sessions.db"));
                let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
                sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
            }
            Place::Postgres(_, database) => {
                let mut connection = PgConnection::connect(database.url()).await.unwrap();
                sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
            }
        }
    }

    pub(crate) async fn append(&self, key: &TranscriptKey, entries: impl IntoIterator<Item = Value>) {
        self.store.append(key, &typed(entries)).await.unwrap();
    }

    pub(crate) async fn append_text(&self, key: &TranscriptKey, json: &str) -> Result<(), StoreError> {
        self.store.append(key, &[json.parse().unwrap()]).await
    }

    pub(crate) async fn load(&self, key: &TranscriptKey) -> Option<Vec<Value>> {
        let texts = self.load_texts(key).await?;
        Some(texts.iter().map(|text| serde_json::from_str(text).unwrap()).collect())
    }

    pub(crate) async fn load_texts(&self, key: &TranscriptKey) -> Option<Vec<String>> {
        let entries = self.store.load(key).await.unwrap()?;
        Some(entries.iter().map(|entry| entry.json().get().to_owned()).collect())
    }

    pub(crate) async fn sessions(&self, project: &str) -> Vec<String> {
        let found = self.store.list_sessions(project).await.unwrap();
        sorted(found.into_iter().map(|session| session.session_id).collect())
    }

    pub(crate) async fn subkeys(&self, key: &TranscriptKey) -> Vec<String> {
        sorted(self.store.list_subkeys(key).await.unwrap())
    }
}

pub(crate) fn key() -> TranscriptKey {
    TranscriptKey::main("proj", "sess")
}

pub(crate) fn typed(entries: impl IntoIterator<Item = Value>) -> Vec<Entry> {
    entries.into_iter().map(|entry| entry.to_string().parse().unwrap()).collect()
}

pub(crate) fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}
