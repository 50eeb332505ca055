use std::collections::HashSet;

use sqlx::PgConnection;

use super::{
    BackendFuture, Page, SqlBackend, StoredEvent, StreamRow, Write, cut_run, page, run, shared_backend,
    signed, statements, stream_row, write_row,
};
use crate::{
    storage::database::{Call, Component, Link, Postgres, Transaction},
    unix_ms,
};

#[derive(Debug)]
pub(super) struct PostgresBackend {
    server: Postgres,
}

impl PostgresBackend {
    pub(super) const fn new(server: Postgres) -> Self {
        Self { server }
    }

    fn call<'a, T: 'a>(
        &'a self,
        call: Call,
        future: impl Future<Output = Result<T, sqlx::Error>> + Send + 'a,
    ) -> BackendFuture<'a, T> {
        Box::pin(self.server.health.call(call, future))
    }

    async fn begin(&self) -> Result<Transaction, sqlx::Error> {
        self.server.begin().await
    }

    async fn reads(&self) -> Result<Link, sqlx::Error> {
        self.server.link().await
    }

    async fn writes(&self) -> Result<Link, sqlx::Error> {
        self.server.link().await
    }

    async fn done(&self, link: Link) -> Result<(), sqlx::Error> {
        link.done().await
    }
}

/// A single statement is one transaction and one round trip, unless a pooler is before the server. A connection that breaks leaves no transaction
/// open.
const COMMIT: &str = "
    with told as (
        update agent_webkit_streams s
        set last_seq = w.last_seq, note = coalesce(w.note, s.note), closed = w.closed, touched_at_ms = $17
        from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bytea[], $6::boolean[])
            as w (id, epoch, expected, last_seq, note, closed)
        where s.id = w.id and s.epoch = w.epoch and s.last_seq = w.expected and not s.closed
        returning s.id
    ), stored as (
        insert into agent_webkit_runs (stream, seq, events, name, data, sizes, piece_of, whole_of)
        select r.* from unnest(
            $7::bigint[], $8::bigint[], $9::bigint[], $10::text[], $11::bytea[], $12::text[], $13::text[], $14::text[]
        ) as r (stream, seq, events, name, data, sizes, piece_of, whole_of)
        join told on told.id = r.stream
    ), posted as (
        insert into agent_webkit_outbox (record, due_at_ms, attempts)
        select o.record, 0, 0 from unnest($15::bigint[], $16::bytea[]) as o (stream, record)
        join told on told.id = o.stream
    )
    select id from told";
const FIND_OUT: &str = "select id, epoch, last_seq from agent_webkit_streams where id = any($1)";

impl SqlBackend for PostgresBackend {
    fn commit<'a>(&'a self, writes: &'a [Write]) -> BackendFuture<'a, Vec<bool>> {
        self.call(Component::Events.writes().of_many_rows(), async move {
            let mut link = self.writes().await?;
            let told: HashSet<(i64,)> = store(&mut link, writes).await?.into_iter().collect();
            let mut stored: Vec<bool> = writes.iter().map(|write| told.contains(&(write.id,))).collect();
            let others: Vec<i64> = writes
                .iter()
                .zip(&stored)
                .filter(|(_, stored)| !**stored)
                .map(|(write, _)| write.id)
                .collect();
            if !others.is_empty() {
                let found: Vec<(i64, i64, i64)> =
                    sqlx::query_as(FIND_OUT).bind(others).fetch_all(&mut *link).await?;
                for (write, stored) in writes.iter().zip(&mut stored) {
                    *stored |= found
                        .iter()
                        .any(|&(id, epoch, last)| id == write.id && write.is_stored_as(epoch, last));
                }
            }
            self.done(link).await?;
            Ok(stored)
        })
    }

    shared_backend!();
}

/// Stores the writes and returns the ids of the streams in which they took effect.
async fn store(connection: &mut PgConnection, writes: &[Write]) -> Result<Vec<(i64,)>, sqlx::Error> {
    let runs =
        || writes.iter().flat_map(|write| write.numbered().map(|(seqs, run)| (write.id, *seqs.end(), run)));
    let records = || writes.iter().flat_map(|write| write.outbox.iter().map(|record| (write.id, &**record)));
    let of_writes = |field: fn(&Write) -> i64| writes.iter().map(field).collect::<Vec<_>>();
    sqlx::query_as(COMMIT)
        .bind(of_writes(|write| write.id))
        .bind(of_writes(|write| write.epoch))
        .bind(of_writes(|write| signed(write.expected)))
        .bind(of_writes(|write| signed(write.last())))
        .bind(writes.iter().map(|write| write.note.as_deref()).collect::<Vec<_>>())
        .bind(writes.iter().map(|write| write.close).collect::<Vec<_>>())
        .bind(runs().map(|(id, ..)| id).collect::<Vec<_>>())
        .bind(runs().map(|(_, last, _)| signed(last)).collect::<Vec<_>>())
        .bind(runs().map(|(.., run)| signed(run.events())).collect::<Vec<_>>())
        .bind(runs().map(|(.., run)| &*run.name).collect::<Vec<_>>())
        .bind(runs().map(|(.., run)| run.data()).collect::<Vec<_>>())
        .bind(runs().map(|(.., run)| run.sizes()).collect::<Vec<_>>())
        .bind(runs().map(|(.., run)| run.piece_of()).collect::<Vec<_>>())
        .bind(runs().map(|(.., run)| run.whole_of()).collect::<Vec<_>>())
        .bind(records().map(|(id, _)| id).collect::<Vec<_>>())
        .bind(records().map(|(_, record)| record).collect::<Vec<_>>())
        .bind(unix_ms::now_signed())
        .fetch_all(connection)
        .await
}
