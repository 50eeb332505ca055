use std::ops::RangeInclusive;

use sqlx::{Transaction, pool::PoolConnection, sqlite::SqliteArguments};

use super::{
    BackendFuture, Page, Run, SqlBackend, StoredEvent, StreamRow, Write, cut_run, page, run, shared_backend,
    signed, statements, stream_row, write_row,
};
use crate::{
    storage::database::{Call, Component, Sqlite},
    unix_ms,
};

#[derive(Debug)]
pub(super) struct SqliteBackend {
    /// Held also so that other processes see this one as alive while it writes.
    file: Sqlite,
}

impl SqliteBackend {
    pub(super) const fn new(file: Sqlite) -> Self {
        Self { file }
    }

    fn call<'a, T: 'a>(
        &'a self,
        call: Call,
        future: impl Future<Output = Result<T, sqlx::Error>> + Send + 'a,
    ) -> BackendFuture<'a, T> {
        Box::pin(self.file.health.call(call, future))
    }

    async fn begin(&self) -> Result<Transaction<'static, sqlx::Sqlite>, sqlx::Error> {
        self.file.writer.begin_with("begin immediate").await
    }

    async fn reads(&self) -> Result<PoolConnection<sqlx::Sqlite>, sqlx::Error> {
        self.file.readers.acquire().await
    }

    async fn writes(&self) -> Result<PoolConnection<sqlx::Sqlite>, sqlx::Error> {
        self.file.writer.acquire().await
    }

    /// A statement is a transaction of its own.
    async fn done(&self, connection: PoolConnection<sqlx::Sqlite>) -> Result<(), sqlx::Error> {
        drop(connection);
        Ok(())
    }
}

/// Inserts the first run, if there is one and the stream may be written, and then updates the stream. Both are
/// one call, because each call is a round trip to the connection's thread.
///
/// The statement that names both tables comes first. If one is missing, that statement fails. If the second one
/// did, `sqlx` 0.9 would panic when it resets the first, and leave the file locked.
const STORE: &str = "
    insert into agent_webkit_runs (stream, seq, events, name, data, sizes, piece_of, whole_of)
    select $1, $8, $9, $10, $11, $12, $13, $14 from agent_webkit_streams
    where id = $1 and epoch = $2 and last_seq = $3 and not closed and $9 > 0;
    update agent_webkit_streams set last_seq = $4, note = coalesce($5, note), closed = $6, touched_at_ms = $7
    where id = $1 and epoch = $2 and last_seq = $3 and not closed";
/// Inserts each further run.
const STORE_MORE: &str = "
    insert into agent_webkit_runs (stream, seq, events, name, data, sizes, piece_of, whole_of)
    values ($1, $8, $9, $10, $11, $12, $13, $14)";
const POST: &str = "insert into agent_webkit_outbox (record, due_at_ms, attempts) values ($1, 0, 0)";
const FIND_OUT: &str = "select epoch, last_seq from agent_webkit_streams where id = $1";

impl SqlBackend for SqliteBackend {
    fn commit<'a>(&'a self, writes: &'a [Write]) -> BackendFuture<'a, Vec<bool>> {
        self.call(Component::Events.writes().of_many_rows(), async move {
            let mut transaction = self.begin().await?;
            let mut stored = Vec::with_capacity(writes.len());
            for write in writes {
                stored.push(store(&mut transaction, write).await?);
            }
            transaction.commit().await?;
            Ok(stored)
        })
    }

    shared_backend!();
}

async fn store(transaction: &mut Transaction<'_, sqlx::Sqlite>, write: &Write) -> Result<bool, sqlx::Error> {
    let mut runs = write.numbered();
    let store = query(STORE, write, runs.next());
    if store.execute(&mut **transaction).await?.rows_affected() == 0 {
        let found: Option<(i64, i64)> =
            sqlx::query_as(FIND_OUT).bind(write.id).fetch_optional(&mut **transaction).await?;
        return Ok(found.is_some_and(|(epoch, last)| write.is_stored_as(epoch, last)));
    }
    for run in runs {
        query(STORE_MORE, write, Some(run)).execute(&mut **transaction).await?;
    }
    for record in &write.outbox {
        sqlx::query(POST).bind(record.to_vec()).execute(&mut **transaction).await?;
    }
    Ok(true)
}

type Query = sqlx::query::Query<'static, sqlx::Sqlite, SqliteArguments>;

/// Binds a write and a run. Parameters that are not bound are null.
fn query(statement: &'static str, write: &Write, run: Option<(RangeInclusive<u64>, &Run)>) -> Query {
    let query = sqlx::query(statement)
        .bind(write.id)
        .bind(write.epoch)
        .bind(signed(write.expected))
        .bind(signed(write.last()))
        .bind(write.note.as_ref().map(|note| note.to_vec()))
        .bind(write.close)
        .bind(unix_ms::now_signed());
    let Some((seqs, run)) = run else { return query };
    query
        .bind(signed(*seqs.end()))
        .bind(signed(run.events()))
        .bind(run.name.clone().into_owned())
        .bind(run.data())
        .bind(run.sizes())
        .bind(run.piece_of().map(str::to_owned))
        .bind(run.whole_of().map(str::to_owned))
}
