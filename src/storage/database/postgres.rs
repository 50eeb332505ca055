//! Opens a database on a Postgres server, directly or through a pooler.
//!
//! A pooler of transactions, such as PgBouncer, gives each transaction whichever of its connections is free. So
//! nothing may outlive a transaction: no prepared statement, no lock of a session. Behind one, every call is a
//! transaction, which first drops the statements that others have prepared on the connection.

use std::{
    ops::{Deref, DerefMut},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use sqlx::{
    AssertSqlSafe, Connection, PgConnection, PgPool, Row,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use super::{Database, Health, Location, OpenError, migrations, postgres_transaction::Transaction};

/// Maximum time to wait for a connection.
const ACQUIRE: Duration = Duration::from_secs(5);

/// So many looks at two connections find out whether there is a pooler.
const LOOKS: usize = 3;

/// The lock of whoever migrates the tables.
const MIGRATES: &str = "select pg_advisory_xact_lock(7239014522061)";

/// Begins a transaction that the server ends if it hears nothing for 5 s. A process that is frozen in a transaction
/// holds its locks, and without a limit no other host could take over its sessions.
const BEGIN: &str = "begin; set local idle_in_transaction_session_timeout = '5s'";

/// The same behind a pooler of transactions, where another process may have prepared statements on this connection.
const BEGIN_POOLED: &str = "begin; set local idle_in_transaction_session_timeout = '5s'; deallocate all";

/// Whether the host of a name, `$host`, has certainly ended. The lock is looked up and not tried, which would keep its host
/// from taking it.
const IS_DEAD: &str = "
    exists (
        select 1 from agent_webkit_hosts h
        where h.host = $host and h.server_started_at = pg_postmaster_start_time() and not exists (
            select 1 from pg_locks l
            where l.locktype = 'advisory' and l.granted and l.objsubid = 1
            and l.classid = ((h.lock_id >> 32) & 4294967295)::oid and l.objid = (h.lock_id & 4294967295)::oid
            and l.database = (select oid from pg_database where datname = current_database())
        )
    )";

/// Connections to a Postgres server.
#[derive(Clone, Debug)]
pub struct Postgres {
    pool: PgPool,
    is_pooled: bool,
    /// What does not work of it.
    pub(crate) health: Arc<Health>,
}

/// A connection for one statement: behind a pooler, a transaction.
pub(crate) enum Link {
    Connection(PoolConnection<sqlx::Postgres>),
    Transaction(Transaction),
}

impl Postgres {
    /// A connection for one statement. Call [`Link::done`] after it.
    pub(crate) async fn link(&self) -> sqlx::Result<Link> {
        match self.is_pooled {
            false => self.pool.acquire().await.map(Link::Connection),
            true => self.begin().await.map(Link::Transaction),
        }
    }

    pub(crate) async fn begin(&self) -> sqlx::Result<Transaction> {
        Transaction::begin(&self.pool, self.begins()).await
    }

    /// Whether a pooler of transactions is before the server, so that no connection is one's own.
    pub(crate) const fn is_pooled(&self) -> bool {
        self.is_pooled
    }

    /// How to open a further connection.
    pub(crate) fn connect_options(&self) -> PgConnectOptions {
        (*self.pool.connect_options()).clone()
    }

    /// The condition that the host whose name this expression has certainly has ended: it has held a lock since the server
    /// started, and the lock is free.
    pub(crate) fn sql_is_dead(host: &str) -> String {
        IS_DEAD.replace("$host", host)
    }

    /// Whether the host of this name has certainly ended.
    pub(crate) async fn knows_dead(&self, host: &str) -> sqlx::Result<bool> {
        let mut link = self.link().await?;
        let sql = format!("select {}", Self::sql_is_dead("$1"));
        let is_dead = sqlx::query_scalar(AssertSqlSafe(sql)).bind(host).fetch_one(&mut *link).await?;
        link.done().await?;
        Ok(is_dead)
    }

    /// The statement that begins a transaction.
    const fn begins(&self) -> &'static str {
        if self.is_pooled { BEGIN_POOLED } else { BEGIN }
    }
}

impl Link {
    /// Keeps what the statement did.
    pub(crate) async fn done(self) -> sqlx::Result<()> {
        match self {
            Self::Connection(_) => Ok(()),
            Self::Transaction(transaction) => transaction.commit().await,
        }
    }
}

impl Deref for Link {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        match self {
            Self::Connection(connection) => connection,
            Self::Transaction(transaction) => transaction,
        }
    }
}

impl DerefMut for Link {
    fn deref_mut(&mut self) -> &mut PgConnection {
        match self {
            Self::Connection(connection) => connection,
            Self::Transaction(transaction) => transaction,
        }
    }
}

impl Database {
    /// Connects to the Postgres server at `url` with `min` to `max` connections, and migrates its tables.
    /// Several hosts may do so at once. There may be a pooler before the server, also one of transactions.
    ///
    /// # Errors
    /// The URL is invalid, the server cannot be reached, or the tables cannot be migrated.
    pub async fn postgres(url: &str, min: u32, max: u32) -> Result<Self, OpenError> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|error| OpenError::new("the URL of the Postgres server cannot be read", error))?
            // PgBouncer refuses this parameter, and no column is a float.
            .extra_float_digits(None);
        let is_pooled = reach(&options, url).await?;
        let options = if is_pooled { options.statement_cache_capacity(0) } else { options };
        let pool = PgPoolOptions::new()
            .min_connections(min)
            .max_connections(max)
            .acquire_timeout(ACQUIRE)
            .after_release(|connection, _| {
                // Before a connection is used again, `sqlx` waits for the rest of a call that was given up. On a
                // connection that hangs that is for ever, and the pool would have one less.
                Box::pin(async {
                    let rest = tokio::time::timeout(ACQUIRE, connection.ping()).await;
                    rest.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map(|()| true)
                })
            })
            .connect_lazy_with(options);
        Self::migrated(Postgres { pool, is_pooled, health: Arc::default() }).await
    }

    /// Uses the application's own pool, and migrates the tables. Its connections must be to the server itself, or
    /// through a pooler of sessions.
    ///
    /// # Errors
    /// The tables cannot be migrated.
    pub async fn from_pool(pool: PgPool) -> Result<Self, OpenError> {
        Self::migrated(Postgres { pool, is_pooled: false, health: Arc::default() }).await
    }

    async fn migrated(server: Postgres) -> Result<Self, OpenError> {
        let migrated = async {
            // One of `sqlx`, whose migrations begin transactions within it.
            let mut transaction = server.pool.begin_with(server.begins()).await?;
            sqlx::raw_sql(MIGRATES).execute(&mut *transaction).await?;
            migrations::postgres().set_locking(false).run_direct(None, &mut *transaction, false).await?;
            transaction.commit().await.map_err(sqlx::migrate::MigrateError::from)
        };
        migrated
            .await
            .map_err(|error| OpenError::new("the tables on the Postgres server cannot be used", error))?;
        Ok(Self::Postgres(server))
    }
}

/// Opens two connections, to find out why the server cannot be used, and whether a pooler of transactions is before
/// it: a pool retries and reports only a timeout.
async fn reach(options: &PgConnectOptions, url: &str) -> Result<bool, OpenError> {
    let place = format!("the Postgres server {:?} cannot be used", Location::Postgres(url.to_owned()));
    match tokio::time::timeout(ACQUIRE, is_pooled(options)).await {
        Ok(found) => found.map_err(|error| OpenError::new(place, error)),
        Err(_) => Err(OpenError::sentence(format!("{place}: it does not answer"))),
    }
}

async fn is_pooled(options: &PgConnectOptions) -> sqlx::Result<bool> {
    let mut one = PgConnection::connect_with(options).await?;
    let mut other = PgConnection::connect_with(options).await?;
    let is_pooled = share(&mut one, &mut other).await?;
    // The connections are not used again, so an error while closing them does not matter.
    let _ = (one.close().await, other.close().await);
    Ok(is_pooled)
}

/// Whether both connections are in one process of the server, or one of them in several: a connection to the server
/// itself has a process of its own.
async fn share(one: &mut PgConnection, other: &mut PgConnection) -> sqlx::Result<bool> {
    let first = process(one).await?;
    for _ in 0..LOOKS {
        if process(other).await? == first || process(one).await? != first {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The server's process. Asked without a prepared statement.
async fn process(connection: &mut PgConnection) -> sqlx::Result<i32> {
    sqlx::raw_sql("select pg_backend_pid()").fetch_one(connection).await?.try_get(0)
}
