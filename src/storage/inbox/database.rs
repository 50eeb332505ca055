//! The inboxes in a database.

use std::time::Duration;

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use super::{Entries, InboxEntry};
use crate::storage::{
    catalog::{CatalogFuture, Lease, query},
    database::{Database, millis},
    wake::{Hint, Wake},
};

/// Time after which an expired entry is deleted: nobody waits for its outcome any more.
const KEPT_MS: i64 = 600_000;

const GIVE_BACK: &str = "
    update agent_webkit_inbox set taken_epoch = null where entry_id = $1 and taken_epoch = $2 and outcome is null";
const OUTCOME: &str = "select outcome from agent_webkit_inbox where entry_id = $1 and outcome is not null";
const WITHDRAW: &str =
    "delete from agent_webkit_inbox where entry_id = $1 and taken_epoch is null and outcome is null";
const IS_THERE: &str = "select count(*) from agent_webkit_inbox where entry_id = $1";
const FORGET: &str = "delete from agent_webkit_inbox where entry_id = $1 and outcome is not null";
const SETTLE: &str = "
    update agent_webkit_inbox set outcome = $2 where entry_id = $1 and outcome is null and ($3 is null or exists (
        select 1 from agent_webkit_sessions s
        where s.id = agent_webkit_inbox.session_id and s.epoch = $3 and s.tombstoned_at_ms is null
    ))";

/// The entries of all hosts that share a [`Database`].
pub(in crate::storage) struct DbEntries {
    database: Database,
    host: String,
    wake: Wake,
}

type EntryRow = (i64, String, String, Vec<u8>, i64);

impl DbEntries {
    pub(in crate::storage) fn new(database: Database, host: &str, wake: Wake) -> Self {
        Self { database, host: host.to_owned(), wake }
    }

    fn sql_post(&self) -> SqlStr {
        let now = self.database.sql_now();
        safe(format!(
            "insert into agent_webkit_inbox (entry_id, session_id, message, expires_at_ms)
             values ($1, $2, $3, {now} + $4)"
        ))
    }

    fn sql_waiting(&self) -> SqlStr {
        let (now, each) = (self.database.sql_now(), self.database.sql_each());
        safe(format!(
            "select count(*) from agent_webkit_inbox
             where session_id in ({each}) and outcome is null and expires_at_ms > {now}"
        ))
    }

    fn sql_take(&self) -> SqlStr {
        let (now, each) = (self.database.sql_now(), self.database.sql_each());
        safe(format!(
            "update agent_webkit_inbox set taken_epoch = s.epoch
             from agent_webkit_sessions s
             where s.id = session_id and s.id in ({each}) and s.lease_holder = $2 and s.tombstoned_at_ms is null
             and outcome is null and expires_at_ms > {now} and (taken_epoch is null or taken_epoch <= s.epoch)
             returning serial, entry_id, session_id, message, taken_epoch"
        ))
    }

    fn sql_sweep(&self) -> SqlStr {
        let now = self.database.sql_now();
        safe(format!("delete from agent_webkit_inbox where expires_at_ms < {now} - $1"))
    }
}

impl Entries for DbEntries {
    fn post<'a>(&'a self, entry: &'a InboxEntry, time: Duration) -> CatalogFuture<'a, ()> {
        Box::pin(async move {
            query!(&self.database, writes, |connection| async {
                sqlx::query(self.sql_post())
                    .bind(&entry.id)
                    .bind(&entry.session_id)
                    .bind(&entry.message)
                    .bind(millis(time))
                    .execute(connection)
                    .await
                    .map(drop)
            })?;
            self.wake.send(Hint::Mail(entry.session_id.clone()));
            Ok(())
        })
    }

    fn is_waiting<'a>(&'a self, leases: &'a [Lease]) -> CatalogFuture<'a, bool> {
        Box::pin(async move {
            let ids = ids(leases);
            let waiting: i64 = query!(&self.database, reads, |connection| {
                sqlx::query_scalar(self.sql_waiting()).bind(ids).fetch_one(connection)
            })?;
            Ok(waiting > 0)
        })
    }

    fn take<'a>(&'a self, leases: &'a [Lease]) -> CatalogFuture<'a, Vec<(InboxEntry, i64)>> {
        Box::pin(async move {
            let ids = ids(leases);
            let mut rows: Vec<EntryRow> = query!(&self.database, writes, |connection| {
                sqlx::query_as(self.sql_take()).bind(ids).bind(&self.host).fetch_all(connection)
            })?;
            rows.sort_unstable_by_key(|row| row.0);
            let entries = rows
                .into_iter()
                .map(|(_, id, session_id, message, epoch)| (InboxEntry { id, session_id, message }, epoch));
            Ok(entries.collect())
        })
    }

    fn give_back<'a>(&'a self, entry_id: &'a str, epoch: i64) -> CatalogFuture<'a, ()> {
        Box::pin(async move {
            query!(&self.database, writes, |connection| async {
                sqlx::query(GIVE_BACK).bind(entry_id).bind(epoch).execute(connection).await.map(drop)
            })
        })
    }

    fn settle<'a>(
        &'a self,
        entry: &'a InboxEntry,
        lease: Option<&'a Lease>,
        outcome: &'a [u8],
    ) -> CatalogFuture<'a, ()> {
        Box::pin(async move {
            query!(&self.database, writes, |connection| async {
                sqlx::query(SETTLE)
                    .bind(&entry.id)
                    .bind(outcome)
                    .bind(lease.map(|lease| lease.epoch))
                    .execute(connection)
                    .await
                    .map(drop)
            })?;
            self.wake.send(Hint::Answered(entry.id.clone()));
            Ok(())
        })
    }

    fn outcome<'a>(&'a self, entry_id: &'a str) -> CatalogFuture<'a, Option<Vec<u8>>> {
        Box::pin(async move {
            query!(&self.database, reads, |connection| {
                sqlx::query_scalar(OUTCOME).bind(entry_id).fetch_optional(connection)
            })
        })
    }

    fn withdraw<'a>(&'a self, entry_id: &'a str) -> CatalogFuture<'a, bool> {
        Box::pin(async move {
            query!(&self.database, writes, |connection| async {
                sqlx::query(WITHDRAW).bind(entry_id).execute(connection).await.map(drop)
            })?;
            // An earlier call may have deleted it, whose answer was lost.
            let left: i64 = query!(&self.database, reads, |connection| {
                sqlx::query_scalar(IS_THERE).bind(entry_id).fetch_one(connection)
            })?;
            Ok(left == 0)
        })
    }

    fn forget<'a>(&'a self, entry_id: &'a str) -> CatalogFuture<'a, ()> {
        Box::pin(async move {
            query!(&self.database, writes, |connection| async {
                sqlx::query(FORGET).bind(entry_id).execute(connection).await.map(drop)
            })
        })
    }

    fn sweep(&self) -> CatalogFuture<'_, ()> {
        Box::pin(async move {
            query!(&self.database, writes, |connection| async {
                sqlx::query(self.sql_sweep()).bind(KEPT_MS).execute(connection).await.map(drop)
            })
        })
    }

    fn wake(&self) -> &Wake {
        &self.wake
    }
}

fn ids(leases: &[Lease]) -> String {
    let ids: Vec<_> = leases.iter().map(|lease| &lease.session_id).collect();
    serde_json::to_string(&ids).expect("made of strings")
}

fn safe(sql: String) -> SqlStr {
    AssertSqlSafe(sql).into_sql_str()
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::storage::catalog::{Acquired, Catalog, DEFAULT_LEASE, DbCatalog, SessionRecord};

    const LONG: Duration = Duration::from_secs(60);

    /// A host on this file.
    async fn host(folder: &tempfile::TempDir) -> (DbCatalog, DbEntries) {
        let database = Database::sqlite(folder.path().join("sessions.db")).await.unwrap();
        let catalog = DbCatalog::new(database.clone(), DEFAULT_LEASE);
        let wake = Wake::new(catalog.host(), false);
        let entries = DbEntries::new(database, catalog.host(), wake);
        (catalog, entries)
    }

    fn entry(id: &str) -> InboxEntry {
        InboxEntry { id: id.into(), session_id: "s".into(), message: b"{}".to_vec() }
    }

    #[tokio::test]
    async fn an_entry_is_the_holders_and_its_outcome_too() {
        let folder = tempfile::tempdir().unwrap();
        let ((first, one), (second, other)) = (host(&folder).await, host(&folder).await);
        let lease = first.create(&SessionRecord::new("s", None, "/", SystemTime::now())).await.unwrap();
        let leases = [lease.clone()];
        other.post(&entry("a"), LONG).await.unwrap();
        other.post(&entry("b"), LONG).await.unwrap();
        assert!(one.is_waiting(&leases).await.unwrap());
        assert!(other.take(&leases).await.unwrap().is_empty(), "it does not hold the lease");
        let taken = [(entry("a"), 1), (entry("b"), 1)];
        assert_eq!(one.take(&leases).await.unwrap(), taken);
        assert_eq!(one.take(&leases).await.unwrap(), taken, "an answer may be lost");
        assert!(!other.withdraw("a").await.unwrap(), "it may take effect");
        one.give_back("b", 1).await.unwrap();
        assert!(other.withdraw("b").await.unwrap() && other.withdraw("b").await.unwrap());

        first.release(&lease).await.unwrap();
        let Acquired::Leased(_, newer) = second.acquire("s").await.unwrap() else { panic!("it is free") };
        one.settle(&entry("a"), Some(&lease), b"stale").await.unwrap();
        assert_eq!(other.outcome("a").await.unwrap(), None, "it has lost the session");
        assert!(one.take(&leases).await.unwrap().is_empty());
        assert_eq!(other.take(std::slice::from_ref(&newer)).await.unwrap(), [(entry("a"), 2)]);
        other.settle(&entry("a"), Some(&newer), b"done").await.unwrap();
        other.settle(&entry("a"), Some(&newer), b"twice").await.unwrap();
        assert_eq!(one.outcome("a").await.unwrap().as_deref(), Some(&b"done"[..]));
        assert!(!other.is_waiting(&[newer]).await.unwrap());
        assert!(!one.withdraw("a").await.unwrap(), "its outcome is to be read");
        one.forget("a").await.unwrap();
        assert_eq!(one.outcome("a").await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_has_expired_is_not_taken_and_deleted_later() {
        let folder = tempfile::tempdir().unwrap();
        let (catalog, entries) = host(&folder).await;
        let lease = catalog.create(&SessionRecord::new("s", None, "/", SystemTime::now())).await.unwrap();
        entries.post(&entry("a"), Duration::ZERO).await.unwrap();
        let leases = [lease];
        assert!(
            !entries.is_waiting(&leases).await.unwrap() && entries.take(&leases).await.unwrap().is_empty()
        );
        entries.sweep().await.unwrap();
        assert!(entries.withdraw("a").await.unwrap());
    }
}
