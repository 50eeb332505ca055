//! A transcript store in a SQLite file, which stores entries as their original text.

use std::future::ready;

use serde_json::Map;
use sqlx::{Sqlite as Driver, Transaction, sqlite::SqliteConnection};

use super::{
    Entry, FencedAppend, SessionSummary, StoreError, StoreFuture, StoredSession, TranscriptKey,
    TranscriptStore, sql, summary,
};
use crate::{
    storage::database::{Call, Component, Sqlite},
    unix_ms,
};

/// A transcript store in a SQLite file.
///
/// ```
/// use agent_webkit::{
///     storage::{
///         database::Database,
///         transcripts::{SqliteTranscripts, TranscriptKey, TranscriptStore},
///     },
/// };
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("sessions.db");
/// let Database::Sqlite(file) = Database::sqlite(&path).await? else { unreachable!() };
/// let store = SqliteTranscripts::new(file);
/// let key = TranscriptKey::main("-srv-projects", "f3b1");
/// store.append(&key, &[r#"{"type":"user","uuid":"a"}"#.parse()?]).await?;
/// assert_eq!(store.list_sessions("-srv-projects").await?[0].session_id, "f3b1");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SqliteTranscripts {
    file: Sqlite,
}

const ENTRIES: &str = "select entry from session_entries
    where project_key = ? and session_id = ? and subpath = ? order by seq";

impl SqliteTranscripts {
    /// Uses this file, whose tables are up to date.
    #[must_use]
    pub const fn new(file: Sqlite) -> Self {
        Self { file }
    }

    fn call<'a, T: 'a>(
        &'a self,
        call: Call,
        future: impl Future<Output = Result<T, StoreError>> + Send + 'a,
    ) -> StoreFuture<'a, T> {
        Box::pin(self.file.health.call(call, future))
    }

    fn write<'a>(
        &'a self,
        key: &'a TranscriptKey,
        entries: &'a [Entry],
        epoch: Option<i64>,
    ) -> StoreFuture<'a, ()> {
        if let Err(error) = key.check() {
            return Box::pin(ready(Err(error)));
        }
        if entries.is_empty() {
            return Box::pin(ready(Ok(())));
        }
        self.call(Component::Transcripts.writes().of_many_rows(), self.insert(key, entries, epoch))
    }

    async fn insert(
        &self,
        key: &TranscriptKey,
        entries: &[Entry],
        epoch: Option<i64>,
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        if let Some(epoch) = epoch {
            let held: Option<i64> =
                sqlx::query_scalar("select epoch from agent_webkit_sessions where id = ?")
                    .bind(&key.session_id)
                    .fetch_optional(&mut *transaction)
                    .await?;
            if held != Some(epoch) {
                return Err(StoreError::Fenced);
            }
        }
        let now = unix_ms::now_signed();
        let new = insert(&mut transaction, key, entries, now).await?;
        if key.is_main() && !new.is_empty() {
            fold(&mut transaction, key, &new, now).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Begins a transaction that excludes all other writers, so that the session needs no lock of its own.
    async fn begin(&self) -> sqlx::Result<Transaction<'static, Driver>> {
        self.file.writer.begin_with("begin immediate").await
    }
}

impl FencedAppend for SqliteTranscripts {
    fn append_fenced<'a>(
        &'a self,
        key: &'a TranscriptKey,
        entries: &'a [Entry],
        epoch: i64,
    ) -> StoreFuture<'a, ()> {
        self.write(key, entries, Some(epoch))
    }
}

impl TranscriptStore for SqliteTranscripts {
    fn append<'a>(&'a self, key: &'a TranscriptKey, entries: &'a [Entry]) -> StoreFuture<'a, ()> {
        self.write(key, entries, None)
    }

    fn load<'a>(&'a self, key: &'a TranscriptKey) -> StoreFuture<'a, Option<Vec<Entry>>> {
        self.call(Component::Transcripts.reads().of_many_rows(), async move {
            let texts = sqlx::query_scalar(ENTRIES)
                .bind(&key.project_key)
                .bind(&key.session_id)
                .bind(&key.subpath)
                .fetch_all(&self.file.readers)
                .await?;
            sql::entries(texts)
        })
    }

    fn list_sessions<'a>(&'a self, project_key: &'a str) -> StoreFuture<'a, Vec<StoredSession>> {
        self.call(Component::Transcripts.reads().of_many_rows(), async move {
            let found = sqlx::query_as(sql::SESSIONS).bind(project_key).fetch_all(&self.file.readers).await?;
            Ok(sql::sessions(found))
        })
    }

    fn list_session_summaries<'a>(&'a self, project_key: &'a str) -> StoreFuture<'a, Vec<SessionSummary>> {
        self.call(Component::Transcripts.reads().of_many_rows(), async move {
            let found = sqlx::query_as(
                "select session_id, mtime_ms, data from session_summaries where project_key = ?",
            )
            .bind(project_key)
            .fetch_all(&self.file.readers)
            .await?;
            sql::summaries(found)
        })
    }

    fn delete<'a>(&'a self, key: &'a TranscriptKey) -> StoreFuture<'a, ()> {
        self.call(Component::Transcripts.writes().of_many_rows(), async move {
            let mut transaction = self.begin().await?;
            for statement in sql::DELETES {
                sqlx::query(statement)
                    .bind(&key.project_key)
                    .bind(&key.session_id)
                    .bind(&key.subpath)
                    .execute(&mut *transaction)
                    .await?;
            }
            Ok(transaction.commit().await?)
        })
    }

    fn list_subkeys<'a>(&'a self, key: &'a TranscriptKey) -> StoreFuture<'a, Vec<String>> {
        self.call(Component::Transcripts.reads(), async move {
            Ok(sqlx::query_scalar(sql::SUBKEYS)
                .bind(&key.project_key)
                .bind(&key.session_id)
                .fetch_all(&self.file.readers)
                .await?)
        })
    }

    fn find<'a>(&'a self, session_id: &'a str) -> StoreFuture<'a, Vec<String>> {
        self.call(Component::Transcripts.reads(), async move {
            Ok(sqlx::query_scalar(sql::FIND).bind(session_id).fetch_all(&self.file.readers).await?)
        })
    }
}

/// Inserts the entries and returns those that are new.
async fn insert<'a>(
    connection: &mut SqliteConnection,
    key: &TranscriptKey,
    entries: &'a [Entry],
    now: i64,
) -> sqlx::Result<Vec<&'a Entry>> {
    let mut new = Vec::new();
    for entry in entries {
        let done = sqlx::query(
            "insert into session_entries (project_key, session_id, subpath, uuid, entry, inserted_at_ms)
             values (?, ?, ?, ?, ?, ?)
             on conflict (project_key, session_id, subpath, uuid) where uuid is not null do nothing",
        )
        .bind(&key.project_key)
        .bind(&key.session_id)
        .bind(&key.subpath)
        .bind(entry.uuid().as_deref())
        .bind(entry.json().get())
        .bind(now)
        .execute(&mut *connection)
        .await?;
        if done.rows_affected() > 0 {
            new.push(entry);
        }
    }
    Ok(new)
}

async fn fold(
    connection: &mut SqliteConnection,
    key: &TranscriptKey,
    new: &[&Entry],
    now: i64,
) -> Result<(), StoreError> {
    let before: Option<String> =
        sqlx::query_scalar("select data from session_summaries where project_key = ? and session_id = ?")
            .bind(&key.project_key)
            .bind(&key.session_id)
            .fetch_optional(&mut *connection)
            .await?;
    let data = match before.as_deref().map(sql::data) {
        None => summary::folded(Map::new(), new.iter().copied()),
        Some(Ok(before)) => summary::folded(before, new.iter().copied()),
        // It is derived from the entries, so it is made again from all of them.
        Some(Err(_)) => {
            let all = sqlx::query_scalar(ENTRIES)
                .bind(&key.project_key)
                .bind(&key.session_id)
                .bind(&key.subpath)
                .fetch_all(&mut *connection)
                .await?;
            summary::folded(Map::new(), sql::entries(all)?.iter().flatten())
        }
    };
    sqlx::query(
        "insert into session_summaries (project_key, session_id, mtime_ms, data) values (?, ?, ?, ?)
         on conflict (project_key, session_id)
         do update set mtime_ms = max(mtime_ms, excluded.mtime_ms), data = excluded.data",
    )
    .bind(&key.project_key)
    .bind(&key.session_id)
    .bind(now)
    .bind(serde_json::Value::from(data).to_string())
    .execute(connection)
    .await?;
    Ok(())
}
