//! The SQL statements of the session catalog. SQLite and Postgres differ in their clocks, in how a list is
//! passed, and in when a session is free.

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use crate::storage::database::Database;
#[cfg(feature = "postgres")]
use crate::storage::database::Postgres;

/// Builds the statements for one kind of database.
#[derive(Debug)]
pub(super) struct Sql {
    now: &'static str,
    each: &'static str,
    free: String,
    /// An expression for the current holder of a session. On SQLite that host may be dead.
    holder: String,
    /// The condition that no living host holds a session. SQLite cannot tell which hosts live.
    unheld: Option<String>,
}

impl Sql {
    pub(super) fn new(db: &Database) -> Self {
        match db {
            #[cfg(feature = "sqlite")]
            Database::Sqlite(_) => Self {
                now: db.sql_now(),
                each: db.sql_each(),
                free: "(lease_holder is null or lease_holder = $2)".to_owned(),
                holder: "s.lease_holder".to_owned(),
                unheld: None,
            },
            #[cfg(feature = "postgres")]
            Database::Postgres(_) => {
                let now = db.sql_now();
                Self {
                    now,
                    each: db.sql_each(),
                    free: format!("(lease_holder is null or lease_holder = $2 or lease_until_ms <= {now})"),
                    holder: format!("case when s.lease_until_ms > {now} then s.lease_holder end"),
                    unheld: Some(format!(
                        "(s.lease_until_ms <= {now} or {})",
                        Postgres::sql_is_dead("s.lease_holder")
                    )),
                }
            }
        }
    }

    pub(super) fn create(&self) -> SqlStr {
        let now = self.now;
        safe(format!(
            "insert into agent_webkit_sessions (id, owner, cwd, model, permission_mode, title, status,
                 wakes_at_ms, created_at_ms, active_at_ms, lease_holder, lease_until_ms, epoch, profile)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, {now}, $10, {now} + $11, 1, $12)
             on conflict (id) do nothing"
        ))
    }

    fn select(&self, which: &str) -> SqlStr {
        let holder = &self.holder;
        safe(format!(
            "select s.id, s.owner, s.cwd, s.profile, s.model, s.permission_mode, s.title, s.status,
                 s.wakes_at_ms, s.created_at_ms, s.active_at_ms, e.oldest_seq, e.last_seq, e.note, {holder} as holder
             from agent_webkit_sessions s left join agent_webkit_streams e on e.key = s.id
             where s.tombstoned_at_ms is null and {which}"
        ))
    }

    pub(super) fn find(&self) -> SqlStr {
        self.select("s.id = $1")
    }

    pub(super) fn list(&self) -> SqlStr {
        self.select("s.owner is not distinct from $1 order by s.created_at_ms, s.id")
    }

    pub(super) fn list_page(&self) -> SqlStr {
        self.select(
            "s.owner is not distinct from $1 and (s.created_at_ms, s.id) < ($2, $3)
             order by s.created_at_ms desc, s.id desc limit $4",
        )
    }

    pub(super) fn waking(&self) -> SqlStr {
        let (now, unheld) = (self.now, self.unheld.as_deref().unwrap_or("true"));
        self.select(&format!("s.wakes_at_ms <= {now} + $1 and {unheld} order by s.wakes_at_ms limit 1000"))
    }

    /// Whether the statement [`Sql::waking`] leaves out the sessions of living hosts.
    pub(super) const fn knows_unheld(&self) -> bool {
        self.unheld.is_some()
    }

    pub(super) fn acquire(&self) -> SqlStr {
        let Self { now, free, .. } = self;
        safe(format!(
            "update agent_webkit_sessions
             set epoch = epoch + 1, lease_holder = $2, lease_until_ms = {now} + $3
             where id = $1 and tombstoned_at_ms is null and {free}
             returning epoch"
        ))
    }

    pub(super) fn holder(&self) -> SqlStr {
        safe(
            "select lease_holder from agent_webkit_sessions where id = $1 and lease_holder is not null"
                .to_owned(),
        )
    }

    pub(super) fn free(&self) -> SqlStr {
        safe(
            "update agent_webkit_sessions set lease_holder = null, lease_until_ms = 0
             where id = $1 and lease_holder = $2"
                .to_owned(),
        )
    }

    pub(super) fn seize(&self) -> SqlStr {
        safe(
            "update agent_webkit_sessions set lease_holder = null, lease_until_ms = 0 where id = $1"
                .to_owned(),
        )
    }

    pub(super) fn lease_left(&self) -> SqlStr {
        let now = self.now;
        safe(format!(
            "select lease_until_ms - {now} from agent_webkit_sessions where id = $1 and tombstoned_at_ms is null"
        ))
    }

    pub(super) fn renew(&self) -> SqlStr {
        let Self { now, each, .. } = self;
        safe(format!(
            "update agent_webkit_sessions set lease_until_ms = {now} + $3
             where lease_holder = $2 and tombstoned_at_ms is null and id in ({each})
             returning id, epoch"
        ))
    }

    pub(super) fn save(&self) -> SqlStr {
        let now = self.now;
        safe(format!(
            "update agent_webkit_sessions
             set model = $3, permission_mode = $4, title = $5, status = $6, wakes_at_ms = $7,
                 active_at_ms = {now}
             where id = $1 and epoch = $2 and tombstoned_at_ms is null
             returning epoch"
        ))
    }

    pub(super) fn record_cost(&self) -> SqlStr {
        safe(
            "insert into agent_webkit_costs (session_id, day, owner, usd)
             select id, $3, owner, $4 from agent_webkit_sessions
             where id = $1 and epoch = $2 and tombstoned_at_ms is null
             on conflict (session_id, day) do update set usd = excluded.usd
             returning day"
                .to_owned(),
        )
    }

    pub(super) fn spent(&self) -> SqlStr {
        safe(
            "select coalesce(sum(case when owner is not distinct from $1 then usd else 0.0 end), 0.0),
                 coalesce(sum(usd), 0.0)
             from agent_webkit_costs where day = $2"
                .to_owned(),
        )
    }

    pub(super) fn release(&self) -> SqlStr {
        safe(
            "update agent_webkit_sessions set lease_holder = null, lease_until_ms = 0
             where id = $1 and epoch = $2"
                .to_owned(),
        )
    }

    pub(super) fn tombstone(&self) -> SqlStr {
        let now = self.now;
        safe(format!(
            "update agent_webkit_sessions set tombstoned_at_ms = {now}, epoch = epoch + 1 where id = $1"
        ))
    }

    pub(super) fn forget(&self) -> SqlStr {
        safe("delete from agent_webkit_sessions where id = $1 and tombstoned_at_ms is not null".to_owned())
    }

    pub(super) fn unused(&self) -> SqlStr {
        let now = self.now;
        safe(format!(
            "select id from agent_webkit_sessions
             where tombstoned_at_ms is null and active_at_ms < {now} - $1 and lease_until_ms <= {now}
             order by active_at_ms limit 100"
        ))
    }

    pub(super) fn tombstoned(&self) -> SqlStr {
        let now = self.now;
        safe(format!(
            "select id from agent_webkit_sessions
             where tombstoned_at_ms < {now} - $1 limit 100"
        ))
    }
}

fn safe(sql: String) -> SqlStr {
    AssertSqlSafe(sql).into_sql_str()
}
