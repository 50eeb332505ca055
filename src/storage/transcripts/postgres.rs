//! A transcript store on a Postgres server, in the tables of the Python reference's `PgSessionStore`.

use std::{borrow::Cow, collections::HashSet, future::ready};

use serde_json::Map;
use sha2::{Digest, Sha256};
use sqlx::{PgConnection, PgPool};

use super::{
    Entry, FencedAppend, SessionSummary, StoreError, StoreFuture, StoredSession, TranscriptKey,
    TranscriptStore, shape::Shape, sql, summary,
};
use crate::storage::database::{Call, Component, Database, OpenError, Postgres as Server};

/// A transcript store on a Postgres server, in the tables of the Python reference's `PgSessionStore`.
///
/// Both may use the same tables at the same time. The reference reads a summary before it waits for its lock,
/// so if both append to one session at the same moment, this store's update of the summary may be lost. No
/// entry is ever lost.
#[derive(Clone, Debug)]
pub struct PgTranscripts {
    server: Server,
}

const ENTRIES: &str = "select coalesce(verbatim, entry::text) from session_entries
    where project_key = $1 and session_id = $2 and subpath = $3 order by seq";

impl PgTranscripts {
    /// Uses a database whose tables are up to date, that of a [`Database::Postgres`].
    #[must_use]
    pub const fn new(server: Server) -> Self {
        Self { server }
    }

    /// Connects to the Postgres server at `url` with `min` to `max` connections, and migrates its tables.
    ///
    /// # Errors
    /// The URL is invalid, the server cannot be reached, or the tables cannot be migrated.
    pub async fn connect(url: &str, min: u32, max: u32) -> Result<Self, OpenError> {
        Database::postgres(url, min, max).await.map(Self::of)
    }

    /// Uses the application's own pool, and migrates the tables.
    ///
    /// # Errors
    /// The tables cannot be migrated.
    pub async fn from_pool(pool: PgPool) -> Result<Self, OpenError> {
        Database::from_pool(pool).await.map(Self::of)
    }

    fn of(database: Database) -> Self {
        match database {
            Database::Postgres(server) => Self::new(server),
            #[cfg(feature = "sqlite")]
            Database::Sqlite(_) => unreachable!("a Postgres server was opened"),
        }
    }

    fn call<'a, T: 'a>(
        &'a self,
        call: Call,
        future: impl Future<Output = Result<T, StoreError>> + Send + 'a,
    ) -> StoreFuture<'a, T> {
        Box::pin(self.server.health.call(call, future))
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
        let mut transaction = self.server.begin().await?;
        if let Some(epoch) = epoch {
            // `for share`: a host that acquires the session meanwhile waits for this transaction.
            let held: Option<i64> =
                sqlx::query_scalar("select epoch from agent_webkit_sessions where id = $1 for share")
                    .bind(&key.session_id)
                    .fetch_optional(&mut *transaction)
                    .await?;
            if held != Some(epoch) {
                return Err(StoreError::Fenced);
            }
        }
        lock(&mut transaction, key).await?;
        let new = insert(&mut transaction, key, entries).await?;
        if key.is_main() && !new.is_empty() {
            fold(&mut transaction, key, &new).await?;
        }
        Ok(transaction.commit().await?)
    }
}

impl FencedAppend for PgTranscripts {
    fn append_fenced<'a>(
        &'a self,
        key: &'a TranscriptKey,
        entries: &'a [Entry],
        epoch: i64,
    ) -> StoreFuture<'a, ()> {
        self.write(key, entries, Some(epoch))
    }
}

impl TranscriptStore for PgTranscripts {
    fn append<'a>(&'a self, key: &'a TranscriptKey, entries: &'a [Entry]) -> StoreFuture<'a, ()> {
        self.write(key, entries, None)
    }

    fn load<'a>(&'a self, key: &'a TranscriptKey) -> StoreFuture<'a, Option<Vec<Entry>>> {
        self.call(Component::Transcripts.reads().of_many_rows(), async move {
            if key.check().is_err() {
                return Ok(None);
            }
            let mut link = self.server.link().await?;
            let texts = sqlx::query_scalar(ENTRIES)
                .bind(&key.project_key)
                .bind(&key.session_id)
                .bind(&key.subpath)
                .fetch_all(&mut *link)
                .await?;
            link.done().await?;
            sql::entries(texts)
        })
    }

    fn list_sessions<'a>(&'a self, project_key: &'a str) -> StoreFuture<'a, Vec<StoredSession>> {
        self.call(Component::Transcripts.reads().of_many_rows(), async move {
            if project_key.contains('\0') {
                return Ok(Vec::new());
            }
            let mut link = self.server.link().await?;
            let found = sqlx::query_as(sql::SESSIONS).bind(project_key).fetch_all(&mut *link).await?;
            link.done().await?;
            Ok(sql::sessions(found))
        })
    }

    fn list_session_summaries<'a>(&'a self, project_key: &'a str) -> StoreFuture<'a, Vec<SessionSummary>> {
        self.call(Component::Transcripts.reads().of_many_rows(), async move {
            if project_key.contains('\0') {
                return Ok(Vec::new());
            }
            let mut link = self.server.link().await?;
            let found = sqlx::query_as(
                "select session_id, mtime_ms, data::text from session_summaries where project_key = $1",
            );
            let found = found.bind(project_key).fetch_all(&mut *link).await?;
            link.done().await?;
            sql::summaries(found)
        })
    }

    fn delete<'a>(&'a self, key: &'a TranscriptKey) -> StoreFuture<'a, ()> {
        self.call(Component::Transcripts.writes().of_many_rows(), async move {
            if key.check().is_err() {
                return Ok(());
            }
            let mut transaction = self.server.begin().await?;
            lock(&mut transaction, key).await?;
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
            if key.check().is_err() {
                return Ok(Vec::new());
            }
            let found = sqlx::query_scalar(sql::SUBKEYS).bind(&key.project_key).bind(&key.session_id);
            let mut link = self.server.link().await?;
            let found = found.fetch_all(&mut *link).await?;
            link.done().await?;
            Ok(found)
        })
    }

    fn find<'a>(&'a self, session_id: &'a str) -> StoreFuture<'a, Vec<String>> {
        self.call(Component::Transcripts.reads(), async move {
            if session_id.contains('\0') {
                return Ok(Vec::new());
            }
            let mut link = self.server.link().await?;
            let found = sqlx::query_scalar(sql::FIND).bind(session_id).fetch_all(&mut *link).await?;
            link.done().await?;
            Ok(found)
        })
    }
}

/// Locks the session against other appends, so that its entries are committed in the order of their `seq`.
async fn lock(transaction: &mut PgConnection, key: &TranscriptKey) -> sqlx::Result<()> {
    let name = format!("agent_webkit\0{}\0{}", key.project_key, key.session_id);
    let digest: [u8; 32] = Sha256::digest(name).into();
    let number = i64::from_be_bytes(digest[..8].try_into().expect("the slice has eight bytes"));
    sqlx::query("select pg_advisory_xact_lock($1)").bind(number).execute(transaction).await?;
    Ok(())
}

/// Inserts the entries and returns those that are new.
async fn insert<'a>(
    connection: &mut PgConnection,
    key: &TranscriptKey,
    entries: &'a [Entry],
) -> sqlx::Result<Vec<&'a Entry>> {
    let shapes: Vec<Shape<'_>> = entries.iter().map(Shape::of).collect();
    let uuids: Vec<Option<Cow<'_, str>>> = entries.iter().map(Entry::uuid).collect();
    let inserted: Vec<Option<String>> = sqlx::query_scalar(
        "insert into session_entries
             (project_key, session_id, subpath, uuid, entry, verbatim, inserted_at_ms)
         select $1, $2, $3, uuid, entry::jsonb, verbatim,
             (extract(epoch from clock_timestamp()) * 1000)::bigint
         from unnest($4::text[], $5::text[], $6::text[]) with ordinality as e (uuid, entry, verbatim, place)
         order by place
         on conflict (project_key, session_id, subpath, uuid) where uuid is not null do nothing
         returning uuid",
    )
    .bind(&key.project_key)
    .bind(&key.session_id)
    .bind(&key.subpath)
    .bind(uuids.iter().map(Option::as_deref).collect::<Vec<_>>())
    .bind(shapes.iter().map(|shape| &*shape.jsonb).collect::<Vec<_>>())
    .bind(shapes.iter().map(|shape| shape.verbatim).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    let mut inserted: HashSet<String> = inserted.into_iter().flatten().collect();
    let is_new = |uuid: &Option<Cow<'_, str>>| uuid.as_ref().is_none_or(|uuid| inserted.remove(&**uuid));
    Ok(uuids.iter().map(is_new).zip(entries).filter_map(|(new, entry)| new.then_some(entry)).collect())
}

async fn fold(connection: &mut PgConnection, key: &TranscriptKey, new: &[&Entry]) -> Result<(), StoreError> {
    // Insert the row before locking it, so that the reference waits even at the first append.
    sqlx::query(
        "insert into session_summaries (project_key, session_id, mtime_ms, data) values ($1, $2, 0, '{}')
         on conflict do nothing",
    )
    .bind(&key.project_key)
    .bind(&key.session_id)
    .execute(&mut *connection)
    .await?;
    let before: String = sqlx::query_scalar(
        "select data::text from session_summaries where project_key = $1 and session_id = $2 for update",
    )
    .bind(&key.project_key)
    .bind(&key.session_id)
    .fetch_one(&mut *connection)
    .await?;
    let data = match sql::data(&before) {
        Ok(before) => summary::folded(before, new.iter().copied()),
        // It is derived from the entries, so it is made again from all of them.
        Err(_) => {
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
        "update session_summaries
         set data = $3::jsonb,
             mtime_ms = greatest(mtime_ms, (extract(epoch from clock_timestamp()) * 1000)::bigint)
         where project_key = $1 and session_id = $2",
    )
    .bind(&key.project_key)
    .bind(&key.session_id)
    .bind(serde_json::Value::from(data).to_string())
    .execute(connection)
    .await?;
    Ok(())
}
