//! The outbox in a database.

use std::time::Duration;

use bytes::Bytes;
use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use super::{Claimed, Records};
use crate::storage::{
    catalog::{CatalogFuture, query},
    database::{Database, millis},
};

const DONE: &str = "delete from agent_webkit_outbox where serial = $1 and attempts = $2";
const LEN: &str = "select count(*) from agent_webkit_outbox";

/// The records of all hosts that share a [`Database`].
pub(in crate::storage) struct DbRecords {
    database: Database,
}

impl DbRecords {
    pub(in crate::storage) fn new(database: Database) -> Self {
        Self { database }
    }

    fn sql_due(&self) -> SqlStr {
        let now = self.database.sql_now();
        safe(format!(
            "select count(*) from (select 1 from agent_webkit_outbox where due_at_ms <= {now} limit 1) due"
        ))
    }

    fn sql_claim(&self) -> SqlStr {
        let now = self.database.sql_now();
        // Of two hosts that claim at once, the second leaves out what the first has.
        let skips_locked = match &self.database {
            #[cfg(feature = "sqlite")]
            Database::Sqlite(_) => "",
            #[cfg(feature = "postgres")]
            Database::Postgres(_) => "for update skip locked",
        };
        safe(format!(
            "update agent_webkit_outbox set due_at_ms = {now} + $2, attempts = attempts + 1
             where serial in (
                 select serial from agent_webkit_outbox where due_at_ms <= {now}
                 order by due_at_ms, serial limit $1 {skips_locked}
             )
             returning serial, attempts, record"
        ))
    }

    fn sql_add(&self) -> SqlStr {
        let now = self.database.sql_now();
        safe(format!("insert into agent_webkit_outbox (record, due_at_ms, attempts) values ($1, {now}, 0)"))
    }

    fn sql_postpone(&self) -> SqlStr {
        let now = self.database.sql_now();
        safe(format!(
            "update agent_webkit_outbox set due_at_ms = {now} + $3, attempts = attempts - $4
             where serial = $1 and attempts = $2"
        ))
    }
}

impl Records for DbRecords {
    /// The event log adds the records.
    fn add(&self, _: Vec<Bytes>) {}

    fn is_due(&self) -> CatalogFuture<'_, bool> {
        Box::pin(async move {
            let due: i64 = query!(&self.database, reads, |connection| sqlx::query_scalar(self.sql_due())
                .fetch_one(connection))?;
            Ok(due > 0)
        })
    }

    fn claim(&self, limit: usize, time: Duration) -> CatalogFuture<'_, Vec<Claimed>> {
        Box::pin(async move {
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let mut rows: Vec<(i64, i64, Vec<u8>)> = query!(&self.database, writes, |connection| {
                sqlx::query_as(self.sql_claim()).bind(limit).bind(millis(time)).fetch_all(connection)
            })?;
            rows.sort_unstable_by_key(|row| row.0);
            let claimed = rows.into_iter().map(|(serial, attempts, record)| Claimed {
                serial,
                attempts,
                record: record.into(),
            });
            Ok(claimed.collect())
        })
    }

    fn done<'a>(&'a self, claimed: &'a Claimed) -> CatalogFuture<'a, ()> {
        Box::pin(async move {
            query!(&self.database, writes, |connection| async {
                sqlx::query(DONE)
                    .bind(claimed.serial)
                    .bind(claimed.attempts)
                    .execute(connection)
                    .await
                    .map(drop)
            })
        })
    }

    fn postpone<'a>(&'a self, claimed: &'a Claimed, pause: Duration, counts: bool) -> CatalogFuture<'a, ()> {
        Box::pin(async move {
            query!(&self.database, writes, |connection| async {
                sqlx::query(self.sql_postpone())
                    .bind(claimed.serial)
                    .bind(claimed.attempts)
                    .bind(millis(pause))
                    .bind(i64::from(!counts))
                    .execute(connection)
                    .await
                    .map(drop)
            })
        })
    }

    fn divide<'a>(&'a self, claimed: &'a Claimed, records: Vec<Bytes>) -> CatalogFuture<'a, ()> {
        Box::pin(async move {
            query!(&self.database, writes, |connection| async {
                for record in &records {
                    let insert = sqlx::query(self.sql_add()).bind(&record[..]);
                    insert.execute(&mut *connection).await?;
                }
                sqlx::query(DONE)
                    .bind(claimed.serial)
                    .bind(claimed.attempts)
                    .execute(&mut *connection)
                    .await
                    .map(drop)
            })
        })
    }

    fn len(&self) -> CatalogFuture<'_, usize> {
        Box::pin(async move {
            let waiting: i64 =
                query!(&self.database, reads, |connection| sqlx::query_scalar(LEN).fetch_one(connection))?;
            Ok(usize::try_from(waiting).unwrap_or(0))
        })
    }
}

fn safe(sql: String) -> SqlStr {
    AssertSqlSafe(sql).into_sql_str()
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use super::*;
    use crate::{
        layers::resume::{AppendError, Batch, Event, EventLog, EventStream},
        storage::events::{DurableConfig, DurableLog},
    };

    const TIME: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_record_is_stored_with_its_events_or_not_at_all_and_claimed_by_one_host() {
        let folder = tempfile::tempdir().unwrap();
        let open = async || Database::sqlite(folder.path().join("sessions.db")).await.unwrap();
        let (one, other) = (open().await, open().await);
        let (log, taker) = (DurableLog::new(one.clone(), DurableConfig::default()), open().await);
        let stream = log.open("s").await.unwrap();
        let batch = |record: &'static str| Batch {
            outbox: vec![record.into()],
            ..Batch::new(vec![Event::new("letter", "a")])
        };
        stream.append(batch("first")).await.unwrap();
        let (here, there) = (DbRecords::new(one), DbRecords::new(other));
        assert!(there.is_due().await.unwrap());
        let claimed = there.claim(9, TIME).await.unwrap();
        assert_eq!((claimed.len(), &claimed[0].record[..], claimed[0].attempts), (1, &b"first"[..], 1));
        assert!(!here.is_due().await.unwrap() && here.claim(9, TIME).await.unwrap().is_empty());

        // The first host died: its claim ends.
        there.postpone(&claimed[0], Duration::ZERO, true).await.unwrap();
        let again = here.claim(9, TIME).await.unwrap();
        assert_eq!(again[0].attempts, 2);
        there.done(&claimed[0]).await.unwrap();
        assert_eq!(here.len().await.unwrap(), 1, "its claim is void");
        here.done(&again[0]).await.unwrap();
        assert_eq!(here.len().await.unwrap(), 0);

        stream.append(batch("whole")).await.unwrap();
        let whole = here.claim(9, TIME).await.unwrap().remove(0);
        here.divide(&whole, vec!["half".into(), "other".into()]).await.unwrap();
        let parts = there.claim(9, TIME).await.unwrap();
        assert_eq!(parts.iter().map(|part| &part.record[..]).collect::<Vec<_>>(), [&b"half"[..], b"other"]);
        for part in &parts {
            there.done(part).await.unwrap();
        }
        assert_eq!(here.len().await.unwrap(), 0);

        let _newer = DurableLog::new(taker, DurableConfig::default()).open("s").await.unwrap();
        assert!(matches!(stream.append(batch("fenced")).await, Err(AppendError::Fenced)));
        assert_eq!(here.len().await.unwrap(), 0);
    }
}
