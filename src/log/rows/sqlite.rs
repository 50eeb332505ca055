use std::sync::LazyLock;

use sqlx::{AssertSqlSafe, SqlitePool, Transaction};

use super::{Page, Part, Rows, RowsFuture, StreamRow, Write, page, shared_rows, signed, sql, stream_row};
use crate::db::Sqlite;

#[derive(Debug)]
pub(super) struct SqliteRows {
    writer: SqlitePool,
    readers: SqlitePool,
    /// As long as something is written, this process is alive for the others.
    _file: Sqlite,
}

impl SqliteRows {
    pub(super) fn new(file: Sqlite) -> Self {
        Self { writer: file.writer.clone(), readers: file.readers.clone(), _file: file }
    }

    async fn begin(&self) -> Result<Transaction<'static, sqlx::Sqlite>, sqlx::Error> {
        self.writer.begin_with("begin immediate").await
    }
}

const UPDATE: &str = "
    update agent_webkit_streams set last_seq = $4, note = coalesce($5, note), closed = $6
    where id = $1 and epoch = $2 and last_seq = $3 and not closed";
const FIND_OUT: &str = "select epoch, last_seq from agent_webkit_streams where id = $1";

/// Few sizes, so that each statement is prepared once.
static INSERTS: LazyLock<[(usize, String); 4]> = LazyLock::new(|| [128, 32, 8, 1].map(|n| (n, insert(n))));

fn insert(rows: usize) -> String {
    let rows = vec!["(?, ?, ?, ?, ?, ?)"; rows].join(", ");
    format!("insert into agent_webkit_events (stream, seq, name, data, piece_of, whole_of) values {rows}")
}

impl Rows for SqliteRows {
    fn commit<'a>(&'a self, writes: &'a [Write]) -> RowsFuture<'a, Vec<bool>> {
        Box::pin(async move {
            let mut transaction = self.begin().await?;
            let mut stored = Vec::with_capacity(writes.len());
            for write in writes {
                stored.push(store(&mut transaction, write).await?);
            }
            transaction.commit().await?;
            Ok(stored)
        })
    }

    shared_rows!();
}

async fn store(transaction: &mut Transaction<'_, sqlx::Sqlite>, write: &Write) -> Result<bool, sqlx::Error> {
    let update = sqlx::query(UPDATE)
        .bind(write.id)
        .bind(write.epoch)
        .bind(signed(write.expected))
        .bind(signed(write.last()))
        .bind(write.note.as_deref())
        .bind(write.close);
    if update.execute(&mut **transaction).await?.rows_affected() == 0 {
        let found: Option<(i64, i64)> =
            sqlx::query_as(FIND_OUT).bind(write.id).fetch_optional(&mut **transaction).await?;
        return Ok(found.is_some_and(|(epoch, last)| write.is_stored_as(epoch, last)));
    }
    let mut seq = write.expected;
    let mut events = write.events.as_slice();
    for (size, statement) in &*INSERTS {
        while let Some((rows, rest)) = events.split_at_checked(*size) {
            events = rest;
            let mut insert = sqlx::query(AssertSqlSafe(statement.as_str()));
            for (event, part) in rows {
                seq += 1;
                insert = insert.bind(write.id).bind(signed(seq)).bind(&*event.name).bind(&*event.data);
                insert = match part {
                    Part::None => insert.bind(None::<&str>).bind(None::<&str>),
                    Part::PieceOf(id) => insert.bind(Some(id)).bind(None::<&str>),
                    Part::Whole(id) => insert.bind(None::<&str>).bind(Some(id)),
                };
            }
            insert.execute(&mut **transaction).await?;
        }
    }
    Ok(true)
}
