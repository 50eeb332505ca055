use std::collections::HashSet;

use sqlx::{PgPool, Transaction};

use super::{Page, Part, Rows, RowsFuture, StreamRow, Write, page, shared_rows, signed, sql, stream_row};

#[derive(Debug)]
pub(super) struct PostgresRows {
    writer: PgPool,
    readers: PgPool,
}

impl PostgresRows {
    pub(super) fn new(pool: PgPool) -> Self {
        Self { writer: pool.clone(), readers: pool }
    }

    async fn begin(&self) -> Result<Transaction<'static, sqlx::Postgres>, sqlx::Error> {
        self.writer.begin().await
    }
}

/// One statement is one transaction and one round trip, and a connection that breaks leaves none open.
const COMMIT: &str = "
    with told as (
        update agent_webkit_streams s
        set last_seq = w.last_seq, note = coalesce(w.note, s.note), closed = w.closed
        from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bytea[], $6::boolean[])
            as w (id, epoch, expected, last_seq, note, closed)
        where s.id = w.id and s.epoch = w.epoch and s.last_seq = w.expected and not s.closed
        returning s.id
    ), stored as (
        insert into agent_webkit_events (stream, seq, name, data, piece_of, whole_of)
        select e.* from unnest($7::bigint[], $8::bigint[], $9::text[], $10::bytea[], $11::text[], $12::text[])
            as e (stream, seq, name, data, piece_of, whole_of)
        join told on told.id = e.stream
    )
    select id from told";
const FIND_OUT: &str = "select id, epoch, last_seq from agent_webkit_streams where id = any($1)";

impl Rows for PostgresRows {
    fn commit<'a>(&'a self, writes: &'a [Write]) -> RowsFuture<'a, Vec<bool>> {
        Box::pin(async move {
            let told: HashSet<(i64,)> = store(&self.writer, writes).await?.into_iter().collect();
            let mut stored: Vec<bool> = writes.iter().map(|write| told.contains(&(write.id,))).collect();
            let others: Vec<i64> = writes
                .iter()
                .zip(&stored)
                .filter(|(_, stored)| !**stored)
                .map(|(write, _)| write.id)
                .collect();
            if !others.is_empty() {
                let found: Vec<(i64, i64, i64)> =
                    sqlx::query_as(FIND_OUT).bind(others).fetch_all(&self.writer).await?;
                for (write, stored) in writes.iter().zip(&mut stored) {
                    *stored |= found
                        .iter()
                        .any(|&(id, epoch, last)| id == write.id && write.is_stored_as(epoch, last));
                }
            }
            Ok(stored)
        })
    }

    shared_rows!();
}

/// The streams in which something was stored.
async fn store(pool: &PgPool, writes: &[Write]) -> Result<Vec<(i64,)>, sqlx::Error> {
    let events = || {
        writes.iter().flat_map(|write| {
            (write.expected + 1..).zip(&write.events).map(|(seq, (event, part))| (write.id, seq, event, part))
        })
    };
    let of_writes = |field: fn(&Write) -> i64| writes.iter().map(field).collect::<Vec<_>>();
    sqlx::query_as(COMMIT)
        .bind(of_writes(|write| write.id))
        .bind(of_writes(|write| write.epoch))
        .bind(of_writes(|write| signed(write.expected)))
        .bind(of_writes(|write| signed(write.last())))
        .bind(writes.iter().map(|write| write.note.as_deref()).collect::<Vec<_>>())
        .bind(writes.iter().map(|write| write.close).collect::<Vec<_>>())
        .bind(events().map(|(id, ..)| id).collect::<Vec<_>>())
        .bind(events().map(|(_, seq, ..)| signed(seq)).collect::<Vec<_>>())
        .bind(events().map(|(_, _, event, _)| &*event.name).collect::<Vec<_>>())
        .bind(events().map(|(_, _, event, _)| &*event.data).collect::<Vec<_>>())
        .bind(events().map(|(.., part)| piece_of(part)).collect::<Vec<_>>())
        .bind(events().map(|(.., part)| whole_of(part)).collect::<Vec<_>>())
        .fetch_all(pool)
        .await
}

fn piece_of(part: &Part) -> Option<&str> {
    match part {
        Part::PieceOf(id) => Some(id),
        Part::None | Part::Whole(_) => None,
    }
}

fn whole_of(part: &Part) -> Option<&str> {
    match part {
        Part::Whole(id) => Some(id),
        Part::None | Part::PieceOf(_) => None,
    }
}
