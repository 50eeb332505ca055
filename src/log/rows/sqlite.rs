use std::sync::LazyLock;

use sqlx::{SqlitePool, Transaction, sqlite::SqliteArguments};

use super::{
    Page, Rows, RowsFuture, Run, StoredEvent, StreamRow, Write, cut_run, page, run, shared_rows, signed, sql,
    stream_row,
};
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

/// Rows that one statement stores. Few sizes, so that each is prepared once.
const ROWS: usize = 8;
/// What has up to so many runs is stored by one call.
static STORE: LazyLock<[String; ROWS + 1]> = LazyLock::new(|| {
    std::array::from_fn(|rows| match rows {
        0 => UPDATE.to_owned(),
        _ => format!("{UPDATE}; {} where changes() = 1", insert(rows)),
    })
});
static INSERT: LazyLock<String> = LazyLock::new(|| insert(1));

/// The first six parameters are those of the update.
fn insert(rows: usize) -> String {
    let row = |n: usize| {
        let own: Vec<String> = (n * 7 + 7..n * 7 + 14).map(|parameter| format!("?{parameter}")).collect();
        format!("(?1, {})", own.join(", "))
    };
    let values: Vec<String> = (0..rows).map(row).collect();
    format!(
        "insert into agent_webkit_runs (stream, seq, events, name, data, sizes, piece_of, whole_of)
        select * from (values {})",
        values.join(", ")
    )
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

/// In one call, mostly: each is a way to the connection's thread and back.
async fn store(transaction: &mut Transaction<'_, sqlx::Sqlite>, write: &Write) -> Result<bool, sqlx::Error> {
    let mut runs = write.numbered().peekable();
    let at_once = write.runs.len().min(ROWS);
    let mut store = query(&STORE[at_once], write);
    for (seqs, run) in runs.by_ref().take(at_once) {
        store = bind(store, *seqs.end(), run);
    }
    if store.execute(&mut **transaction).await?.rows_affected() == 0 {
        let found: Option<(i64, i64)> =
            sqlx::query_as(FIND_OUT).bind(write.id).fetch_optional(&mut **transaction).await?;
        return Ok(found.is_some_and(|(epoch, last)| write.is_stored_as(epoch, last)));
    }
    for (seqs, run) in runs {
        bind(query(&INSERT, write), *seqs.end(), run).execute(&mut **transaction).await?;
    }
    Ok(true)
}

type Query = sqlx::query::Query<'static, sqlx::Sqlite, SqliteArguments>;

/// With the parameters that all statements have.
fn query(statement: &'static str, write: &Write) -> Query {
    sqlx::query(statement)
        .bind(write.id)
        .bind(write.epoch)
        .bind(signed(write.expected))
        .bind(signed(write.last()))
        .bind(write.note.as_ref().map(|note| note.to_vec()))
        .bind(write.close)
}

fn bind(query: Query, last: u64, run: &Run) -> Query {
    query
        .bind(signed(last))
        .bind(signed(run.events()))
        .bind(run.name.clone().into_owned())
        .bind(run.data())
        .bind(run.sizes())
        .bind(run.piece_of().map(str::to_owned))
        .bind(run.whole_of().map(str::to_owned))
}
