//! The tables, as numbered migrations. `sqlx` applies each of them once, even if several hosts start at once.

use sqlx::{
    AssertSqlSafe, SqlSafeStr,
    migrate::{Migration, MigrationType, Migrator},
};

/// The table of applied migrations. Its name keeps it apart from those of other programs in the database.
pub(super) const APPLIED: &str = "agent_webkit_migrations";

macro_rules! migrations {
    ($kind:literal) => {
        migrator(&[
            ("transcripts", include_str!(concat!("migrations/", $kind, "/0001_transcripts.sql"))),
            ("streams", include_str!(concat!("migrations/", $kind, "/0002_streams.sql"))),
            ("sessions", include_str!(concat!("migrations/", $kind, "/0003_sessions.sql"))),
            ("runs", include_str!(concat!("migrations/", $kind, "/0004_runs.sql"))),
            ("tombstones", include_str!(concat!("migrations/", $kind, "/0005_tombstones.sql"))),
            ("tickets", include_str!(concat!("migrations/", $kind, "/0006_tickets.sql"))),
            ("wakeups", include_str!(concat!("migrations/", $kind, "/0007_wakeups.sql"))),
            ("profiles", include_str!(concat!("migrations/", $kind, "/0008_profiles.sql"))),
            ("hosts", include_str!(concat!("migrations/", $kind, "/0009_hosts.sql"))),
            ("inbox", include_str!(concat!("migrations/", $kind, "/0010_inbox.sql"))),
            ("costs", include_str!(concat!("migrations/", $kind, "/0011_costs.sql"))),
            ("outbox", include_str!(concat!("migrations/", $kind, "/0012_outbox.sql"))),
            ("push", include_str!(concat!("migrations/", $kind, "/0013_push.sql"))),
            ("touched", include_str!(concat!("migrations/", $kind, "/0014_touched.sql"))),
            ("pages", include_str!(concat!("migrations/", $kind, "/0015_pages.sql"))),
        ])
    };
}

#[cfg(feature = "postgres")]
pub(super) fn postgres() -> Migrator {
    migrations!("postgres")
}

#[cfg(feature = "sqlite")]
pub(super) fn sqlite() -> Migrator {
    migrations!("sqlite")
}

fn migrator(steps: &[(&'static str, &'static str)]) -> Migrator {
    let steps = (1..).zip(steps).map(|(version, (description, sql))| {
        let sql = AssertSqlSafe(*sql).into_sql_str();
        Migration::new(version, (*description).into(), MigrationType::Simple, sql, false)
    });
    let mut migrator = Migrator::with_migrations(steps.collect());
    migrator.dangerous_set_table_name(APPLIED);
    migrator
}
