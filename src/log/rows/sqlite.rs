use std::sync::LazyLock;

use sqlx::{SqlitePool, Transaction};

use super::{Page, Part, Rows, RowsFuture, StreamRow, Write, page, shared_rows, signed, sql, stream_row};
use crate::{db::Sqlite, layers::resume::Event};

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
static INSERTS: LazyLock<[(usize, String); 4]> = LazyLock::new(|| [256, 32, 8, 1].map(|n| (n, insert(n))));

/// Rows that differ only in their data: a parameter each is all that must be bound then.
fn insert(rows: usize) -> String {
    let values: Vec<String> = (0..rows).map(|n| format!("(?1, ?2 + {n}, ?3, ?{}, ?4, ?5)", n + 6)).collect();
    let values = values.join(", ");
    format!("insert into agent_webkit_events (stream, seq, name, data, piece_of, whole_of) values {values}")
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
    let mut seq = signed(write.expected) + 1;
    for alike in write.events.chunk_by(|(a, part_a), (b, part_b)| a.name == b.name && part_a == part_b) {
        let mut events = alike;
        for (size, statement) in &*INSERTS {
            while let Some((rows, rest)) = events.split_at_checked(*size) {
                insert_alike(transaction, statement, write.id, seq, rows).await?;
                seq += rows.len() as i64;
                events = rest;
            }
        }
    }
    Ok(true)
}

/// Stores events of one name that are parts of one message, or of none.
async fn insert_alike(
    transaction: &mut Transaction<'_, sqlx::Sqlite>,
    statement: &'static str,
    stream: i64,
    first_seq: i64,
    rows: &[(Event, Part)],
) -> Result<(), sqlx::Error> {
    let Some((event, part)) = rows.first() else { return Ok(()) };
    let (piece_of, whole_of) = match part {
        Part::None => (None, None),
        Part::PieceOf(id) => (Some(id), None),
        Part::Whole(id) => (None, Some(id)),
    };
    let mut insert = sqlx::query(statement).bind(stream).bind(first_seq).bind(&*event.name);
    insert = insert.bind(piece_of).bind(whole_of);
    for (event, _) in rows {
        insert = insert.bind(&*event.data);
    }
    insert.execute(&mut **transaction).await?;
    Ok(())
}
